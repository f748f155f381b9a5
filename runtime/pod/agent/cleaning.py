"""What an interrupted run left behind, removed or finished. Never touches a name that is not ours, nor an edit."""

from __future__ import annotations

import os
import stat as modes

from . import inplace, paths


def clean(root: int) -> None:
    """Remove the stage directory, what its notes say was made elsewhere, and our temporary names at the top."""
    for name in os.listdir(root):
        if name.startswith(paths.TEMP):
            if name == paths.STAGE:
                _follow_notes(root)
            _remove(root, name)


def _follow_notes(root: int) -> None:
    try:
        stage = os.open(paths.STAGE, paths.DIRECTORY, dir_fd=root)
    except OSError:
        return  # it is no directory, so no notes are in it
    try:
        with paths.Folders(root) as folders:
            for note in os.listdir(stage):
                if note.startswith("at-"):
                    _remove_noted(folders, os.readlink(note, dir_fd=stage))
                elif note.startswith(inplace.NOTE):
                    inplace.mend(folders, stage, note)
    finally:
        os.close(stage)


def _remove_noted(folders: paths.Folders, path: str) -> None:
    try:
        above, _, name = paths.check(path).rpartition("/")
        if name.startswith(paths.TEMP):
            _remove(folders.open(above), name)
    except (OSError, ValueError):
        return  # the directory is gone, and all in it; or it is no note of ours


def _remove(at: int, name: str) -> None:
    try:
        if not modes.S_ISDIR(os.lstat(name, dir_fd=at).st_mode):
            os.unlink(name, dir_fd=at)
            return
        inner = os.open(name, paths.DIRECTORY, dir_fd=at)
        try:
            for each in os.listdir(inner):
                _remove(inner, each)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=at)
    except FileNotFoundError:
        pass
