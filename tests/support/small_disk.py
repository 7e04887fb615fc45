"""A small file system of its own for one data directory, inside namespaces.py: one that can be full, and can hang.

ext4 on a loop device; where there is none to be had, tmpfs, which fills up in the same way but never hangs.
"""

import os
import subprocess

from support.cluster import NotPossible
from support.namespaces import is_root, run

BLOCK = 4096


class SmallDisk:
    def __init__(self, place, mib):
        """Mounted at `place`, a folder; the image lies beside it."""
        self.place, self.hangs = place, False
        self.filler = os.path.join(place, "filler")
        if not (is_root() and self.mount_image(mib)):
            run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", place)

    def mount_image(self, mib):
        """False where root has no loop device either, as in many a container."""
        image = self.place + ".image"
        with open(image, "wb") as file:
            file.truncate(mib << 20)
        run("mkfs.ext4", "-q", "-m", "0", image)
        done = subprocess.run(["mount", "-o", "loop", image, self.place], capture_output=True, text=True)
        if done.returncode:
            print(f"      no loop device here, so tmpfs: {done.stderr.strip()}")
            os.unlink(image)
        return done.returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def free_bytes(self):
        facts = os.statvfs(self.place)
        return facts.f_bavail * facts.f_frsize

    def fill(self, but_for=0):
        """To the last block, or until no more than this is left; at once, so that nobody makes room meanwhile."""
        with open(self.filler, "ab") as file:
            length, size = file.tell(), max(self.free_bytes() - but_for, 0)
            while size >= BLOCK:
                try:
                    os.posix_fallocate(file.fileno(), length, size)
                    length, size = length + size, min(size, self.free_bytes() - but_for)
                except OSError:
                    size //= 2

    def free(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def hang(self):
        """Whoever writes, or waits for what was written, waits until answer()."""
        done = subprocess.run(["fsfreeze", "--freeze", self.place], capture_output=True, text=True)
        if done.returncode:
            raise NotPossible(f"a disk that hangs: {done.stderr.strip()}")
        self.hangs = True

    def answer(self):
        if self.hangs:
            run("fsfreeze", "--unfreeze", self.place)
        self.hangs = False

    def close(self):
        self.answer()
        run("umount", "--lazy", self.place)
