"""A result of several files: the key `files` of its info cuts the data into them (SPEC.md, "Bundles")."""
import re

from keep import keep

MAX_FILES, MAX_NAME_BYTES, MAX_PARTS = 256, 255, 8


def is_name(name):
    """Whether a file may have this name. An str of msgpack is UTF-8 already."""
    parts = name.split("/")
    return (len(name.encode(errors="replace")) <= MAX_NAME_BYTES and len(parts) <= MAX_PARTS
            and not any(part in ("", ".", "..") for part in parts) and not re.search(r"[\x00-\x1f\x7f-\x9f\\]", name))


def are_names(names):
    """Whether all of them may be in one bundle."""
    folded = [re.sub("[A-Z]", lambda letter: letter[0].lower(), name) for name in names]
    folders = {name[:at] for name in folded for at in range(len(name)) if name[at] == "/"}
    return all(map(is_name, names)) and len(set(folded)) == len(folded) and not folders & set(folded)


def pack(result):
    """(info, data) of bytes, or of a list of (name, bytes, metadata)."""
    if isinstance(result, bytes):
        return {}, result
    files = [{**metadata, "name": name, "bytes": len(data)} for name, data, metadata in result]
    assert 0 < len(files) <= MAX_FILES and are_names([file["name"] for file in files]), "wrong names, or too many files"
    info = {"files": files}
    if len(files) == 1 and "content_type" in files[0]:
        info["content_type"] = files[0]["content_type"]  # for clients that know no files
    return info, b"".join(data for _, data, _ in result)


def unpack(info, data):
    """The files: the map of each from the list, with its `data`. None without a list that is right."""
    files = info.get("files")
    right = (isinstance(files, list) and 0 < len(files) <= MAX_FILES
             and all(isinstance(file, dict) and isinstance(file.get("name"), str) and isinstance(file.get("bytes"), int)
                     and file["bytes"] >= 0 and isinstance(file.get("content_type", ""), str) for file in files)
             and sum(file["bytes"] for file in files) == len(data) and are_names([file["name"] for file in files]))
    if not right:
        return None
    ends = [sum(file["bytes"] for file in files[:count + 1]) for count in range(len(files))]
    return [{**file, "data": data[end - file["bytes"]:end]} for file, end in zip(files, ends)]


def keep_result(folder, task_id, info, data):
    """Writes folder/<id>, or folder/<id>/<name> of several files. They are on the disk when this returns."""
    files = unpack(info, data) or []
    if len(files) < 2:
        return keep(folder, task_id, data)
    for file in files:
        *folders, name = re.sub(r"(^|/)[.-]", r"\1_", file["name"]).split("/")  # no hidden file, no option
        keep(folder.joinpath(task_id.strip(".") or "_", *folders), name, file["data"])
    return None
