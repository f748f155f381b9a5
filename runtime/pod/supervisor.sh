# The supervisor of a dev container: it owns the dev process, so that a crash, a restart or a switch to debug mode
# never costs the pod. It knows nothing of Kubernetes and never touches the synced source.
#
#   busybox sh supervisor.sh --dir=DIR [--workdir=DIR] [--home=DIR] [--wait=DIR]... [--seeded=FILE]...
#           [--stop-signal=TERM] [--grace=SECONDS] [--build=N WORD...] [--run=N WORD...]
#
# In a WORD, `$~` stands for a dollar sign that somebody on the way would expand. For the same reason this text
# holds no parameter in braces and no doubled dollar sign.
#
# To steer it, write a line to the FIFO:   echo restart 1<>DIR/ctl        (1<> never blocks)
#   start [MODE]    make sure that MODE runs (run or debug; without: as before)
#   restart [MODE]  a new process, after a build if there is a cmd.build; restarts that come together are one
#   signal NAME     send a signal to the process itself, not to its children: HUP, USR1 ...
#   stop, quit      end the process and keep the container; end both
#
# In DIR:
#   state     one line, replaced by rename: GENERATION STATE [DETAIL]. GENERATION counts the starts, and goes on
#             counting when the container restarts. STATE [DETAIL] is one of: waiting | building |
#             running MODE PID | exited CODE | build-failed CODE (an old process goes on) | stopped [quit]
#   desired   run, debug or stop: what a restarted container goes back to without being told
#   uid       who this is: the agent beside it compares, for files belong to whoever wrote them
#   pid       the dev process, which is also its process group; absent while there is none
#   cmd.run, cmd.debug, cmd.build   sh scripts that set the words to run, read anew at each start
#   ctl       the FIFO; go, go.build, .pid.*: between the shells below; .given.*: cmd.* as the arguments have them
#
# There are four shells. The first, PID 1, only waits: a shell in `wait` reaps orphans and hears TERM at once.
# `control` reads the FIFO and decides. Two runners, for the process and for the build, have it as a foreground
# child and report its end: what a shell starts with `&` would have SIGINT ignored for ever.
# All names start with my_: assigning to a name of the container's environment would change it for the process.

log() { printf '[devcfg] %s\n' "$*" >&2; }
fail() { log "$2" && exit "$1"; } # CODE MESSAGE

case $1 in
--launch) # KIND MODE GENERATION DIR WORKDIR HOME BUSYBOX: become the process
  trap - INT QUIT
  my_kind=$2 my_mode=$3 my_gen=$4 my_dir=$5 my_workdir=$6 my_home=$7 my_busybox=$8
  read -r my_id my_rest </proc/self/stat
  echo "$my_gen $my_id" >"$my_dir/.pid.$my_kind"
  set --
  [ ! -f "$my_dir/cmd.$my_mode" ] || . "$my_dir/cmd.$my_mode"
  set -f
  log "$my_mode: generation $my_gen:" $* # unquoted: one line, whatever the words hold
  [ "$my_kind" = build ] || export DEVCFG_RUN="$my_dir:$my_gen" # a build's daemons may stay
  [ -z "$my_home" ] || export HOME="$my_home" XDG_CACHE_HOME="$my_home/.cache"
  [ -z "$my_workdir" ] || cd "$my_workdir" 2>/dev/null && unset OLDPWD ||
    fail 126 "$my_mode: cannot enter the working directory $my_workdir"
  # Looked up here because busybox would prefer its own tar, env, sh... to those of the image.
  my_program=''
  case $1 in */*) my_program=$1 ;; *) IFS=: ;; esac
  for my_rest in $PATH; do
    [ -z "$my_program" ] && [ -f "$my_rest/$1" ] && [ -x "$my_rest/$1" ] && my_program=$my_rest/$1
  done
  unset IFS
  [ -f "$my_program" ] || fail 127 "$my_mode: no program \`$1\` (PATH is $PATH)"
  [ -x "$my_program" ] || fail 126 "$my_mode: \`$1\` is not executable for this user"
  case $my_program in -*) my_program=./$my_program ;; esac
  shift
  # Variables with names that a shell drops, such as spring.profiles.active, come back through `env`.
  [ -z "$my_environment" ] ||
    eval "unset my_environment; exec \"\$my_busybox\" env $my_environment \"\$my_program\" \"\$@\""
  unset my_environment
  exec "$my_program" "$@"
  ;;
--runner) # KIND DIR WORKDIR HOME BUSYBOX: launch what comes on descriptor 4, report on 3 how it ended
  my_kind=$2 my_busybox=$6
  # Opened for writing first: when the supervisor has ended already, reading ends at once and does not wait for it.
  exec 6<>"$3/$7" 4<"$3/$7" 6>&- 5>&2 2>/dev/null # the shell's own "Terminated" is no line of the container's log
  while read -r my_gen my_mode <&4; do
    (exec "$my_busybox" setsid "$my_busybox" sh "$0" --launch "$my_kind" "$my_mode" "$my_gen" "$3" "$4" "$5" "$6" \
      2>&5 3>&- 4<&- 5>&-)
    my_code=$?
    read -r my_last my_rest <"$3/.pid.$my_kind"
    [ "$my_last" = "$my_gen" ] || echo "$my_gen 0" >"$3/.pid.$my_kind" # not even launched
    echo "exited $my_kind $my_gen $my_code" >&3
  done
  exit
  ;;
--dir=?*) ;;
*) fail 64 "the first argument is --dir=DIRECTORY, not \`$1\`" ;;
esac

# ---- the first shell: arguments, files, the other shells

my_dir='' my_workdir='' my_home='' my_waits='' my_empty='' my_seeded='' my_signal=TERM my_grace=10
my_busybox=/devcfg/bin/busybox # elsewhere: what BB says, or else what runs this
[ -x "$my_busybox" ] || my_busybox=$BB
[ -x "$my_busybox" ] || read -r my_rest my_rest my_rest my_rest my_rest my_busybox </proc/self/maps
bb() { "$my_busybox" "$@"; }
put() { printf '%s\n' "$2" >"$my_dir/$1.tmp" && bb mv -f "$my_dir/$1.tmp" "$my_dir/$1"; } # FILE LINE

holds_source() { # DIRECTORY
  for my_entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    case $my_entry in "$1/lost+found" | "$1"/.devcfg-tmp-*) continue ;; esac
    [ ! -e "$my_entry" ] && [ ! -L "$my_entry" ] || return 0
  done
  return 1
}

quoted() { # WORD: decoded, as a shell reads it back
  printf " '" && printf %s "$1" | bb sed -e 's/\$~/$/g' -e "s/'/'\\\\''/g" && printf "'"
}

while [ $# -gt 0 ]; do
  IFS='=' read -r my_option my_value <<END
$1
END
  shift
  case $my_option in
  --dir) my_dir=$my_value && { (umask 0 && bb mkdir -p "$my_dir") || fail 64 "cannot create $my_dir"; } ;;
  --workdir) my_workdir=$my_value ;;
  --home) my_home=$my_value && bb mkdir -p "$my_home/.cache" ;;
  --wait) my_waits="$my_waits $my_value" && { holds_source "$my_value" || my_empty="$my_empty $my_value"; } ;;
  --seeded) [ ! -e "$my_value" ] || my_seeded=yes ;;
  --stop-signal) my_signal=$my_value ;;
  --grace) my_grace=$my_value ;;
  --build | --run)
    case $my_value in '' | *[!0-9]*) fail 64 "$my_option=NUMBER of words, not \`$my_value\`" ;; esac
    [ "$my_value" -le $# ] || fail 64 "$my_option=$my_value, but only $# words follow"
    case $my_option in --run) my_rest=run ;; *) my_rest=build ;; esac && my_file=$my_dir/.given.$my_rest
    printf 'set --' >"$my_file.tmp"
    while [ "$my_value" -gt 0 ]; do
      quoted "$1" >>"$my_file.tmp" && shift && my_value=$((my_value - 1))
    done
    bb cmp -s "$my_file.tmp" "$my_file" || bb cp "$my_file.tmp" "$my_dir/cmd.$my_rest"
    bb mv -f "$my_file.tmp" "$my_file" # a container that restarts goes on with what a session has told since
    ;;
  *) fail 64 "unknown argument $my_option" ;;
  esac
done
[ -z "$my_seeded" ] || my_empty=$my_waits
case $my_grace in '' | *[!0-9.]* | *.*.*) fail 64 "--grace=SECONDS, not \`$my_grace\`" ;; esac
my_grace=$(bb awk "BEGIN { printf \"%d\", $my_grace * 100 }") # from here on in hundredths, as /proc/uptime is read

for my_file in ctl go go.build; do
  [ -p "$my_dir/$my_file" ] || bb mkfifo -m 0666 "$my_dir/$my_file" || fail 64 "cannot create $my_dir/$my_file"
done
put uid "$(bb id -u)"
exec 3<>"$my_dir/ctl" 4<>"$my_dir/go" 5<>"$my_dir/go.build" # held open from here, so that no line is lost
trap 'echo quit >&3' TERM INT HUP
my_environment=$(bb tr '\000\n' '\n\001' </proc/self/environ | bb grep -v '^[A-Za-z_][A-Za-z0-9_]*=' |
  bb sed -e "s/'/'\\\\''/g" -e "s/.*/'&'/" | bb tr '\n\001' ' \n')

start_runner() { # KIND FIFO: setsid twice, because the second one is a leader and so forks: a child without `&`
  my_environment=$my_environment "$my_busybox" setsid "$my_busybox" setsid "$my_busybox" sh "$0" \
    --runner "$1" "$my_dir" "$my_workdir" "$my_home" "$my_busybox" "$2" 4>&- 5>&-
}
bb rm -f "$my_dir/pid" "$my_dir/.pid.run" "$my_dir/.pid.build"
start_runner run go
start_runner build go.build

# ---- control: one line of the FIFO after the other

# asked: run, debug, stop or quit, not yet begun; wanted: the mode being built or started; mode, pid, live: what
# runs, its process and its generation; build, build_pid: the generation being built; built: the code it ended with
my_asked='' my_wanted='' my_mode='' my_pid='' my_live='' my_build='' my_build_pid='' my_built='' my_here=''

now() { IFS='. ' read -r my_sec my_frac my_rest </proc/uptime && my_now=$((my_sec * 100 + 1$my_frac - 100)); }
nap() { # longer each time
  my_naps=$((my_naps + 1))
  case $my_naps in 1) my_rest=0.001 ;; [2-5]) my_rest=0.003 ;; ? | ??) my_rest=0.02 ;; *) my_rest=0.1 ;; esac
  bb sleep "$my_rest" 2>/dev/null || bb sleep 1
}
state() { put state "$my_gen $*"; }
desire() { [ "$1" = "$my_desired" ] || put desired "$1" && my_desired=$1; }

marked() { # the processes of this supervisor, wherever they went: debuggers leave their process group
  bb strings -f -n 12 /proc/[0-9]*/environ 2>/dev/null | bb grep -F " DEVCFG_RUN=$my_dir:" |
    while IFS=/ read -r my_rest my_rest my_id my_rest; do echo "$my_id"; done
}

left() { # GROUP: is anybody left in it? A zombie that its parent does not reap would stay for ever: do not count it
  kill -0 "-$1" 2>/dev/null || return 1
  [ "$my_naps" -lt 4 ] || bb cat /proc/[0-9]*/stat 2>/dev/null | bb grep -q ") [^ZX] [0-9]* $1 "
}

end_group() { # GROUP SIGNAL: returns when nobody is left in it
  my_naps=0
  kill "-$2" "-$1" 2>/dev/null || return 0
  now && my_until=$((my_now + my_grace))
  while left "$1" && [ "$my_now" -lt "$my_until" ]; do nap && now; done
  left "$1" || return 0
  log "still there after $2 and the grace period: killed"
  kill -KILL "-$1" 2>/dev/null && my_until=$((my_now + 1000))
  while left "$1" && [ "$my_now" -lt "$my_until" ]; do nap && now; done
}

end_process() {
  my_live='' # what the runner reports from here on is no crash
  [ -z "$my_pid" ] || end_group "$my_pid" "$my_signal"
  my_pid='' my_naps=0 my_send=$my_signal
  now && my_until=$((my_now + (my_grace < 100 ? my_grace : 100)))
  while my_left=$(marked) && [ -n "$my_left" ]; do
    kill "-$my_send" $my_left 2>/dev/null # unquoted: one number a word
    nap && now
    if [ "$my_now" -lt "$my_until" ]; then my_send=0; else my_send=KILL; fi
    [ "$my_now" -lt $((my_until + 1000)) ] || { log "these do not end:" $my_left && return; }
  done
}

end_build() {
  [ -z "$my_build" ] || end_group "$my_build_pid" TERM
  my_build='' my_built='' my_wanted=''
}

launch() { # KIND MODE DESCRIPTOR: sets my_id, empty when there was nothing to launch
  echo "$my_gen $2" >&"$3"
  my_naps=0
  now && my_until=$((my_now + 3000))
  until { read -r my_last my_id <"$my_dir/.pid.$1"; } 2>/dev/null && [ "$my_last" = "$my_gen" ]; do
    nap && now
    [ "$my_now" -lt "$my_until" ] || fail 1 "no process after 30 s: giving up, so that the container restarts"
  done
  [ "$my_id" != 0 ] || my_id=''
}

swap() { # the old process for the new one
  end_process
  echo "here $my_gen" >&3 # whatever was asked before this line is answered by the process that starts now
  until [ "$my_here" = "$my_gen" ]; do listen; done
  case $my_asked in
  stop | quit) return ;;
  ?*) # with a build what was asked stays asked: the build is older than that
    my_wanted=$my_asked && desire "$my_asked"
    [ -f "$my_dir/cmd.build" ] || my_asked=''
    ;;
  esac
  launch run "$my_wanted" 4
  my_mode=$my_wanted my_pid=$my_id my_live=$my_gen my_wanted=''
  put pid "$my_pid" && state running "$my_mode" "$my_pid"
}

listen() {
  read -r my_word my_argument my_number my_code my_rest <&3
  case $my_word in
  start | restart)
    [ -n "$my_argument" ] || case $my_desired in debug) my_argument=debug ;; *) my_argument=run ;; esac
    case $my_argument in run | debug) ;; *) log "ignored: $my_word $my_argument (run or debug)" && return ;; esac
    [ -f "$my_dir/cmd.$my_argument" ] || { log "ignored: $my_word: there is no command.$my_argument" && return; }
    case $my_asked,$my_word,$my_wanted,$my_mode,$my_pid in
    quit,* | ,start,"$my_argument",*) ;; # ending, or on its way already
    ,start,,"$my_argument",?*) log "$my_argument: already running" ;;
    *) my_asked=$my_argument ;;
    esac
    ;;
  signal)
    case $my_argument in
    HUP | INT | QUIT | TERM | USR1 | USR2 | WINCH) [ -z "$my_pid" ] || kill "-$my_argument" "$my_pid" 2>/dev/null ;;
    *) log "ignored: $my_word $my_argument" ;;
    esac
    ;;
  stop) [ "$my_asked" = quit ] || my_asked=stop ;;
  quit) my_asked=quit ;;
  here) my_here=$my_argument ;;
  exited)
    case $my_argument,$my_number in
    *,) ;;
    "build,$my_build") my_built=$my_code ;;
    "run,$my_live")
      [ "$my_code" -le 128 ] || my_rest=" (signal $((my_code - 128)))"
      log "$my_mode: exited with code $my_code$my_rest; the container stays; to start it again: $my_hint"
      my_pid='' my_live='' && bb rm -f "$my_dir/pid"
      [ -n "$my_build" ] || state exited "$my_code"
      ;;
    esac
    ;;
  '') ;;
  *) log "ignored: $my_word (start, restart, signal, stop or quit)" ;;
  esac
}

act() { # until there is nothing to do but to listen
  while :; do
    case $my_asked in stop | quit)
      end_build
      end_process
      bb rm -f "$my_dir/pid"
      [ "$my_asked" != quit ] || { state stopped quit; exit 0; }
      state stopped
      my_asked='' && desire stop
      log "stopped; to start it: $my_hint"
      ;;
    esac
    if [ -n "$my_build" ]; then
      [ -n "$my_built" ] || return 0 # what is asked meanwhile gets a build of its own after this one
      my_code=$my_built my_build='' my_built=''
      if [ -n "$my_asked" ]; then
        log "build: older than the last change, once more"
      elif [ "$my_code" = 0 ]; then
        swap
        continue
      else
        my_wanted=''
        my_word='nothing runs'
        [ -z "$my_pid" ] || my_word="$my_mode: generation $my_live goes on"
        log "build: failed with code $my_code; $my_word; to build again: echo restart 1<>$my_dir/ctl"
        state build-failed "$my_code"
      fi
    fi
    [ -n "$my_asked" ] || return 0
    my_wanted=$my_asked my_asked='' my_gen=$((my_gen + 1))
    desire "$my_wanted"
    if [ -f "$my_dir/cmd.build" ]; then
      launch build build 5
      my_build=$my_gen my_build_pid=$my_id
      state building
    else
      swap
    fi
  done
}

control() {
  my_hint="echo start 1<>$my_dir/ctl" my_gen=0 my_desired=''
  [ ! -f "$my_dir/state" ] || read -r my_gen my_rest <"$my_dir/state"
  [ ! -f "$my_dir/desired" ] || read -r my_desired <"$my_dir/desired"
  case $my_gen in '' | *[!0-9]*) my_gen=0 ;; esac
  if [ "$my_desired" = debug ] && [ -f "$my_dir/cmd.debug" ]; then
    my_asked=debug
  elif [ "$my_desired" = stop ]; then
    state stopped
    log "stopped, as it was before the container restarted; to start it: $my_hint"
  elif [ ! -f "$my_dir/cmd.run" ]; then
    state stopped
    log "there is no command.run: the container idles"
  elif [ -n "$my_empty" ] && [ -z "$my_desired" ]; then
    state waiting
    log "waiting for the source in$my_empty: it comes with the sync; to start without it: $my_hint"
  else
    my_asked=run
  fi
  while act; do listen; done
}

control &
my_control=$!
while wait "$my_control"; my_code=$?; [ "$my_code" -gt 128 ] && kill -0 "$my_control" 2>/dev/null; do :; done
[ "$my_code" -le 128 ] || { wait "$my_control" && my_code=0; } # a trap, such as TERM's, ends a `wait` too
exit "$my_code"
