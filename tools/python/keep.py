"""Where a result survives a crash: the dispatcher may drop its copy afterwards."""
import os
import tempfile


def keep(folder, name, data):
    """Writes folder/name, which is whole and on the disk when this returns. OSError says why not."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = tempfile.NamedTemporaryFile(dir=folder, prefix=f"{name}.", suffix=".part", delete=False)
    try:
        with draft:
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
        os.replace(draft.name, folder / name)
    except BaseException:
        os.unlink(draft.name)
        raise
    listing = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # the name is on the disk when this is
    try:
        os.fsync(listing)
    finally:
        os.close(listing)
