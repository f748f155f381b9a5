"""Xdebug 3, for PHP: the process dials the editor, through a port that leads there. Never set by the environment.

PHP says nothing of a setting of an extension that it does not have, so it is asked for the extension first; what the
environment has for Xdebug would outweigh the settings, and is left out.
"""

from __future__ import annotations

import re
import shlex

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, take_apart

_PHP = re.compile(r"php(\d(\.?\d+)?)?")
_SERVERS = re.compile(r"php-fpm[\d.]*|apache2-foreground|apache2ctl|httpd|httpd-foreground|frankenphp|rr")
_LAUNCHERS = ("composer", "symfony", "sail")
_VALUED = ("-c", "-d", "-z", "--php-ini", "--define", "--zend-extension")
_ALONE = ("-n", "-e", "-q", "-C", "-H", "--no-php-ini", "--no-header", "--no-chdir", "--hide-args")
_PROGRAM = ("-S", "--server", "-t", "--docroot", "-f", "--file", "-r", "--run")
_NOWAIT = "`debug.wait` changes nothing: whatever runs stops by itself until the editor, if it listens, has answered"
_VERSION = "echo version_compare((string) phpversion('xdebug'), '3', '>=') ? phpversion('xdebug') : '';"
_NONE = "there is no Xdebug 3 in this PHP"


def _settings(port: int) -> Words:
    wanted = (
        ("mode", "debug"),
        ("start_with_request", "yes"),
        ("client_host", HOST),
        ("client_port", str(port)),
        ("log_level", "0"),  # else each request says that the editor does not listen
    )
    return tuple(f"-dxdebug.{name}={value}" for name, value in wanted)


def _check(php: Words, port: int) -> Words:
    """Return what asks PHP first, and becomes the command behind it."""
    asked = shlex.join((*php, "-r", _VERSION))
    text = (
        f'unset XDEBUG_MODE XDEBUG_CONFIG; v=$({asked}) && [ "$v" ] || {{ echo {shlex.quote(_NONE)} >&2; exit 78; }}; '
        f'echo "Xdebug $v dials {HOST}:{port}"; exec "$@"'
    )
    return ("sh", "-c", text, "sh")


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if _SERVERS.fullmatch(started.name):
        return _served(wish, started.name)
    if started.name in _LAUNCHERS:
        return _advice(wish, f"`{started.name}` starts the program in a process of its own")
    if not _PHP.fullmatch(started.name):
        return _advice(wish, f"`{started.program}` is not seen to be PHP")
    at = 0
    while at < len(started.words) and (_is_option(started.words[at]) or started.words[at] in _VALUED):
        at += 2 if started.words[at] in _VALUED else 1
    options, rest = started.words[:at], started.words[at:]
    if not rest or (rest[0].startswith("-") and rest[0] not in _PROGRAM and not rest[0].startswith(("-S", "-f"))):
        return _advice(wish, "it names neither a script nor an address to serve at")
    if rest[0].rpartition("/")[2] == "artisan" and rest[1:2] == ("serve",):
        return _advice(wish, "`artisan serve` starts the server in a process of its own")
    notes = (_NOWAIT,) if wish.wait else ()
    php = (started.program, *options)
    return Written((*started.before, *_check(php, wish.port), *php, *_settings(wish.port), *rest), notes)


def _is_option(word: str) -> bool:
    glued = word[:2] in ("-c", "-d", "-z") and len(word) > 2
    return word in _ALONE or glued or word.partition("=")[0] in _VALUED[3:]


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[php, {', '.join(_settings(wish.port))}, -S, '{HOST}:8000', -t, public]")


def _served(wish: Wish, name: str) -> Advice:
    settings = f'XDEBUG_MODE=debug XDEBUG_CONFIG="client_host={HOST} client_port={wish.port}"'
    text = f"{settings} exec {name}"
    return Advice(f"`{name}` works in other processes than its own", f"[sh, -c, '{text}']")


def _asking(command: Words) -> Asking:
    # One of ours says itself what it found; of any other there is nothing to see but that it runs.
    return Asking.NOTHING if any(_NONE in word for word in command) else Asking.PROCESS


ADAPTER = Adapter(
    name="php",
    debugger="Xdebug",
    port=9003,
    needs="the extension `xdebug`, 3.0 or newer, in the container's PHP: `pecl install xdebug` and its like",
    signs=Signs(
        debugger=r"(?:-d)?xdebug\..+=.*",
        program=rf"{_PHP.pattern}|{_SERVERS.pattern}|{'|'.join(_LAUNCHERS)}|artisan|phpunit",
        image=r"php|.*-php|laravel|wordpress|drupal|frankenphp",
        files=r"composer\.json|composer\.lock|artisan|.*\.php",
    ),
    ports=re.compile(r"client_port=(\d+)"),
    announces=re.compile(r"^Xdebug \S+ dials 127\.0\.0\.1:(\d+)$"),
    missing=re.compile(rf"{_NONE}|\bphp[\d.]*: (?:not found|command not found|No such file)"),
    speaks=Speaks.OTHER,
    rewrite=_rewrite,
    asking=_asking,
    dials=True,
)
