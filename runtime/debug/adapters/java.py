"""JDWP, for what runs on a JVM: part of each, one client at a time. Never switched on by JAVA_TOOL_OPTIONS.

That variable reaches every JVM below: the second one finds the port taken and does not start.
"""

from __future__ import annotations

import re

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, take_apart

_BUILDERS = ("gradle", "gradlew", "mvn", "mvnw", "sbt", "lein", "clojure", "clj", "mill", "ant", "quarkus")
_SPRING = "-Dspring-boot.run.jvmArguments="


def _agent(wish: Wish) -> str:
    # A JVM that waits goes on once a client leaves, so that whoever asked would let it go: it says when it listens.
    how = "suspend=y" if wish.wait else "suspend=n,quiet=y"
    return f"-agentlib:jdwp=transport=dt_socket,server=y,{how},address={HOST}:{wish.port}"


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name == "java":
        return Written((*started.before, started.program, _agent(wish), *started.words))
    if started.name in ("mvn", "mvnw") and "spring-boot:run" in started.words:
        if any(word.startswith(_SPRING) for word in started.words):
            return _advice(wish, f"it gives the JVM arguments itself: put the agent into `{_SPRING[:-1]}`")
        return Written((*started.before, started.program, *started.words, _SPRING + _agent(wish)))
    if started.name in ("gradle", "gradlew"):
        return Advice(
            f"`{started.name}` starts the program in a JVM of its own",
            f"[{started.program}, {', '.join(started.words)}, --debug-jvm], with `debug: {{port: 5005, wait: true}}`",
        )
    if started.name in _BUILDERS:
        return _advice(wish, f"`{started.name}` starts the program in a JVM of its own")
    return _advice(wish, f"`{started.program}` is not seen to be a JVM")


def _advice(wish: Wish, reason: str) -> Advice:
    return Advice(reason, f"[java, '{_agent(wish)}', -jar, app.jar]")


def _asking(command: Words) -> Asking:
    text = " ".join(command)
    if "--debug-jvm" in text or ("jdwp" in text and "suspend=n" not in text):
        return Asking.NOTHING
    return Asking.JDWP


ADAPTER = Adapter(
    name="java",
    debugger="JDWP",
    port=5005,
    needs="a JVM with the agent `jdwp`: every JDK has it, and a JRE with the module `jdk.jdwp.agent`",
    signs=Signs(
        debugger=r".*\bjdwp\b.*|--debug-jvm",
        program=rf"java|kotlin|scala|{'|'.join(_BUILDERS)}",
        image=r".*temurin.*|.*openjdk.*|.*corretto.*|.*-java|java|gradle|maven|zulu.*|jetty|tomcat",
        files=r"pom\.xml|build\.gradle(\.kts)?|settings\.gradle(\.kts)?|gradlew|mvnw|build\.sbt|.*\.java|.*\.kt",
    ),
    ports=re.compile(r"jdwp\S*address=(?:[^\s,]*:)?(\d+)(?![\d.:])"),
    announces=re.compile(r"Listening for transport dt_socket at address: (?:\S*:)?(\d+)"),
    missing=re.compile(r"Could not find agent library jdwp|\bjava: (?:not found|command not found|No such file)"),
    speaks=Speaks.OTHER,
    rewrite=_rewrite,
    asking=_asking,
)
