PRAGMA application_id=1734700641;
PRAGMA user_version=3;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES('epoch',1796066953017);
CREATE TABLE tasks(
  sequence   INTEGER PRIMARY KEY,  -- order of acceptance
  task_id    TEXT NOT NULL,
  digest     BLOB NOT NULL,        -- BLAKE2b-128 of spec and payload: what makes a submit idempotent
  spec       BLOB NOT NULL,        -- canonical msgpack
  label      TEXT NOT NULL,        -- of the spec, for people
  model      TEXT NOT NULL,        -- of the spec, for people
  created_ms INTEGER NOT NULL,
  status     INTEGER NOT NULL,     -- 0 Unscheduled 1 Scheduled 2 Sent 3 Aborted 4 Completed 5 Failed
  current    INTEGER NOT NULL,     -- the attempt it is assigned with, 0: none
  faults     INTEGER NOT NULL,
  losses     INTEGER NOT NULL,
  drains     INTEGER NOT NULL,
  attempts   TEXT NOT NULL,        -- JSON [[number, epoch, session, node_id, failed, open], ...]
  log        TEXT NOT NULL,        -- JSON [[at_ms, status, reason, node_id, attempt], ...]
  code       INTEGER NOT NULL,     -- an error code of SPEC.md, when terminal
  info       BLOB NOT NULL,        -- msgpack: what DELIVER tells beside the data
  ended_ms   INTEGER NOT NULL,     -- 0: not terminal
  fetched    INTEGER NOT NULL,     -- a client has the result
  payload    BLOB,                 -- NULL: empty, dropped, or in blobs
  result     BLOB                  -- the same
, priority  INTEGER NOT NULL DEFAULT -1);
INSERT INTO tasks VALUES(1,'fetched',X'19a0a77a869863c112048ab3011c5094',X'83a56c6162656ca974776f20776f726473a56d6f64656ca47364786ca674656e616e74a461636d65','two words','sdxl',1796066958222,4,0,0,0,0,'[[1,1796066953017,"8bdb3d287c28c8d8f074721025e6287c","good-1",0,0]]','[[1796066958222,0,"accepted","",0],[1796066958222,1,"least loaded","good-1",1],[1796066958224,2,"node took it","good-1",1],[1796066958224,4,"result","good-1",1]]',0,X'86a8617474656d70747301a76e6f64655f6964a6676f6f642d31a97175657565645f6d7301a672756e5f6d7301a773746172746564c3a8746f74616c5f6d7301',1796066958224,1,NULL,NULL,-1);
INSERT INTO tasks VALUES(2,'unfetched',X'68d714ce0660f852035f9cc00d85de2b',X'83a56c6162656cab6120626c75652063756265a56d6f64656ca47364786ca87072696f7269747907','a blue cube','sdxl',1796066958419,4,0,0,0,0,'[[1,1796066953017,"8bdb3d287c28c8d8f074721025e6287c","good-1",0,0]]','[[1796066958419,0,"accepted","",0],[1796066958419,1,"least loaded","good-1",1],[1796066958420,2,"node took it","good-1",1],[1796066958420,4,"result","good-1",1]]',0,X'86a8617474656d70747301a76e6f64655f6964a6676f6f642d31a97175657565645f6d7300a672756e5f6d7300a773746172746564c3a8746f74616c5f6d7300',1796066958420,0,NULL,X'6120626c75652063756265',-1);
INSERT INTO tasks VALUES(3,'large',X'bd731bf715de78b110ea69cbb955f8b8',X'82a56c6162656ca56c61726765a56d6f64656ca47364786c','large','sdxl',1796066958512,4,0,0,0,0,'[[1,1796066953017,"8bdb3d287c28c8d8f074721025e6287c","good-1",0,0]]','[[1796066958512,0,"accepted","",0],[1796066958512,1,"least loaded","good-1",1],[1796066958513,2,"node took it","good-1",1],[1796066958513,4,"result","good-1",1]]',0,X'86a8617474656d70747301a76e6f64655f6964a6676f6f642d31a97175657565645f6d7300a672756e5f6d7300a773746172746564c3a8746f74616c5f6d7300',1796066958513,0,NULL,NULL,-1);
INSERT INTO tasks VALUES(4,'failed',X'd84ff7cee17eb6a3332c74ab2686ac95',X'83a56c6162656ca56120636174ac6d61785f617474656d70747301a56d6f64656ca3626164','a cat','bad',1796066958660,5,0,1,0,0,'[[1,1796066953017,"ef267f1f4931011d7e829f421677a786","bad-1",1,0]]','[[1796066958660,0,"accepted","",0],[1796066958660,1,"least loaded","bad-1",1],[1796066958660,2,"node took it","bad-1",1],[1796066958906,5,"attempts used up: 1 errors, 0 losses, 0 drains; the node reported an error: echo: told to fail","bad-1",1]]',500,X'87a8617474656d70747301a56572726f72d95e617474656d70747320757365642075703a2031206572726f72732c2030206c6f737365732c203020647261696e733b20746865206e6f6465207265706f7274656420616e206572726f723a206563686f3a20746f6c6420746f206661696ca76e6f64655f6964a56261642d31a97175657565645f6d7300a672756e5f6d731ba773746172746564c3a8746f74616c5f6d73ccf6',1796066958906,0,X'6120636174',NULL,-1);
INSERT INTO tasks VALUES(5,'running',X'd49cbd2f8cb812a5492cae19b5aba295',X'83a56c6162656ca8736c6f77206f6e65a56d6f64656ca4736c6f77a6706172616d7381a47365656404','slow one','slow',1796066958991,1,1,0,0,0,'[[1,1796066953017,"e7f0710cd6f8a6a031c21278b2dc285a","slow-1",0,1]]','[[1796066958991,0,"accepted","",0],[1796066958991,1,"least loaded","slow-1",1]]',0,X'80',0,0,X'736c6f77206f6e65',NULL,-1);
INSERT INTO tasks VALUES(6,'queued',X'b6885c16ad89b28b47bfd6789c3ef37a',X'82a56c6162656ca57761697473a56d6f64656ca66e6f626f6479','waits','nobody',1796066959202,0,0,0,0,0,'[]','[[1796066959202,0,"accepted","",0]]',0,X'80',0,0,NULL,NULL,-1);
INSERT INTO tasks VALUES(7,'urgent',X'4227fa3729d4726d7b812652c11dabd9',X'82a56c6162656ca4736f6f6ea56d6f64656ca66e6f626f6479','soon','nobody',1796066959311,0,0,0,0,0,'[]','[[1796066959311,0,"accepted","",0],[1796066959596,0,"priority 9 from now on","",0]]',0,X'80',0,0,X'736f6f6e',NULL,9);
INSERT INTO tasks VALUES(8,'aborted',X'427f8279988c76358f6980ad6f987837',X'82a56c6162656ca56e65766572a56d6f64656ca66e6f626f6479','never','nobody',1796066959687,3,0,0,0,0,'[]','[[1796066959687,0,"accepted","",0],[1796066959810,3,"cancelled by a client","",0]]',504,X'83a8617474656d70747300a56572726f72b563616e63656c6c6564206279206120636c69656e74a8746f74616c5f6d737b',1796066959810,0,NULL,NULL,-1);
CREATE TABLE blobs(
  key  INTEGER PRIMARY KEY,        -- 2 * sequence for the payload, + 1 for the result
  data BLOB NOT NULL
);
INSERT INTO blobs VALUES(7,CAST(printf('%.*c', 5000, 'z') AS BLOB));
INSERT INTO blobs VALUES(12,CAST(printf('%.*c', 5000, 'z') AS BLOB));
CREATE TABLE nodes(node_id TEXT PRIMARY KEY, drained INTEGER NOT NULL, assigned  INTEGER NOT NULL DEFAULT 0, completed INTEGER NOT NULL DEFAULT 0, failed    INTEGER NOT NULL DEFAULT 0, lost      INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO nodes VALUES('bad-1',0,1,0,1,0);
INSERT INTO nodes VALUES('good-1',0,3,3,0,0);
CREATE TABLE measures(
  node_id       TEXT NOT NULL,
  model         TEXT NOT NULL,
  size          INTEGER NOT NULL,  -- class: doubles with each step, 0: not said
  runs          REAL NOT NULL,
  run_mean      REAL NOT NULL,
  run_variance  REAL NOT NULL,
  loads         REAL NOT NULL,
  load_mean     REAL NOT NULL,
  load_variance REAL NOT NULL,
  good          REAL NOT NULL,
  bad           REAL NOT NULL,
  lost          INTEGER NOT NULL,
  updated_ms    INTEGER NOT NULL,
  PRIMARY KEY(node_id, model, size)
) WITHOUT ROWID;
INSERT INTO measures VALUES('bad-1','bad',0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0,1796066958906);
INSERT INTO measures VALUES('good-1','sdxl',0,3.0,-6.9350116112666908563,0.2562841984071111967,0.0,0.0,0.0,2.8525000000000000355,0.0,0,1796066958513);
CREATE VIEW task_list AS
  SELECT sequence, task_id,
    CASE status WHEN 0 THEN 'Unscheduled' WHEN 1 THEN 'Scheduled' WHEN 2 THEN 'Sent'
                WHEN 3 THEN 'Aborted' WHEN 4 THEN 'Completed' ELSE 'Failed' END AS status,
    datetime(created_ms / 1000, 'unixepoch') AS created,
    CASE ended_ms WHEN 0 THEN NULL ELSE datetime(ended_ms / 1000, 'unixepoch') END AS ended,
    model, label, json_array_length(attempts) AS attempts, faults, losses, drains, code, fetched,
    json_extract(log, '$[#-1][2]') AS last_reason
  FROM tasks;
CREATE VIEW task_log AS
  SELECT task_id, datetime(json_extract(value, '$[0]') / 1000, 'unixepoch') AS at,
    json_extract(value, '$[1]') AS status, json_extract(value, '$[2]') AS reason,
    json_extract(value, '$[3]') AS node_id, json_extract(value, '$[4]') AS attempt
  FROM tasks, json_each(tasks.log);
CREATE VIEW measured AS
  SELECT node_id, model, size, round(runs, 1) AS runs, round(exp(run_mean), 3) AS run_s,
    CASE WHEN loads > 0 THEN round(exp(load_mean), 3) END AS load_s,
    round(good / max(good + bad, 0.001), 3) AS success, lost,
    datetime(updated_ms / 1000, 'unixepoch') AS updated
  FROM measures;
COMMIT;
