#!/usr/bin/env bash
# Installs the servers of the integration tests, each once, without a container engine.
# Usage: install.sh kafka|influxd|prometheus|all, or prometheus3 for `npm run test:long`
# They go to ${UCS_SERVICES:-$HOME/.cache/ucs-services}. An interrupted run leaves a .part there, which the next one replaces.
set -euo pipefail

root=${UCS_SERVICES:-$HOME/.cache/ucs-services}
kafka_version=4.1.0 influxd_version=2.10.0 prometheus3_version=3.15.1

install_all() {
  local failed=0
  # A process each: a function whose failure is tolerated would no longer stop at its first error.
  for service in kafka prometheus influxd; do bash "$0" "$service" || failed=1; done
  return "$failed"
}

install_kafka() {
  local home=$root/kafka
  if [ -f "$home/lib/kafka_2.13-$kafka_version.jar" ]; then
    say "already in $home"
    [ -f "$home/classes.jsa" ] || archive_kafka "$home"
    return
  fi

  need java 'install a Java runtime 17 or later, Kafka runs on it'
  [ "$(java_version)" -ge 17 ] || fail "java is version $(java_version): install 17 or later"
  need mvn 'install Maven, which fetches Kafka'
  say "fetching Kafka $kafka_version"
  cat > "$part/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency></dependencies></project>
POM
  logged mvn -q -B -f "$part/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part/lib"
  mkdir -p "$home"
  rm -rf "$home/lib"
  mv "$part/lib" "$home/lib"
  say "installed in $home"
  archive_kafka "$home"
}

# The classes of a broker as a JVM has them once they are loaded, so that the next ones start in half the time. Nothing depends on it.
archive_kafka() {
  local home=$1 port=$((20000 + RANDOM % 5000 * 2)) deadline=$((SECONDS + 60)) broker
  local jvm=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$home/lib/*")
  cat > "$part/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
log.dirs=$part/data
PROPERTIES
  "${jvm[@]}" kafka.tools.StorageTool format --cluster-id ucs-test-cluster-00001 --config "$part/server.properties" >> "$log" 2>&1 || return 0
  "${jvm[@]}" -XX:ArchiveClassesAtExit="$part/classes.jsa" kafka.Kafka "$part/server.properties" >> "$log" 2>&1 &
  broker=$!
  until (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$broker" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.2
  done
  kill "$broker" 2>/dev/null || true
  wait "$broker" || true
  [ -f "$part/classes.jsa" ] || { say 'brokers start a second later: their classes could not be archived'; return 0; }
  mv "$part/classes.jsa" "$home/classes.jsa"
  say 'classes archived'
}

java_version() { java -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = \([0-9]*\).*/\1/p'; }

install_influxd() {
  local home=$root/influxd module=github.com/influxdata/influxdb/v2@v$influxd_version
  "$home/bin/influxd" version 2>/dev/null | grep -q "$influxd_version" && { say "already in $home"; return; }
  need go 'install Go 1.25 or later, influxd is built from its source'
  need cargo 'install Rust with rustup, the query language of influxd is written in it'
  need cc 'install a C compiler'
  export GOTOOLCHAIN=auto GOFLAGS=
  say "fetching the source of influxd $influxd_version"
  cd "$part"
  logged go mod download -json "$module"
  logged cp -r "$(downloaded_folder)" src
  chmod -R u+w src
  cd src
  # The versions that it names are not to be had as modules; these are the nearest that are.
  logged go mod edit -replace github.com/influxdata/flux=github.com/influxdata/flux@v0.200.0 \
    -replace github.com/influxdata/pkg-config=github.com/influxdata/pkg-config@v0.3.0
  export GOFLAGS=-mod=mod
  logged go build -o ../pkg-config github.com/influxdata/pkg-config
  lenient_rustc > ../rustc-lenient
  chmod +x ../rustc-lenient
  say 'building it, which takes about five minutes'
  # Its Rust asks for an old toolchain, which RUSTUP_TOOLCHAIN overrides. Clients read the version in /health.
  PKG_CONFIG=$part/pkg-config RUSTC_WRAPPER=$part/rustc-lenient RUSTUP_TOOLCHAIN=stable CARGO_TERM_COLOR=never \
    logged go build -buildvcs=false -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w -X main.version=$influxd_version" \
    -o ../influxd ./cmd/influxd
  mkdir -p "$home/bin"
  mv ../influxd "$home/bin/influxd"
  say "installed in $home"
}

# It denies warnings, and newer compilers have more of them.
lenient_rustc() {
  cat <<'WRAPPER'
#!/bin/sh
rustc="$1"; shift
case " $* " in *cap-lints*) exec "$rustc" "$@";; *) exec "$rustc" "$@" --cap-lints warn;; esac
WRAPPER
}

install_prometheus() {
  local home=$root/prometheus
  [ -x "$home/bin/prometheus" ] && { say "already in $home"; return; }
  command -v prometheus >/dev/null && { say "already at $(command -v prometheus)"; return; }
  need apt-get 'put a prometheus on the PATH'
  need dpkg-deb 'put a prometheus on the PATH'
  cd "$part"
  say 'fetching the package of the distribution'
  # Unpacked, not installed: installing it would also start it as a service of this machine.
  if ! apt-get download prometheus >> "$log" 2>&1; then
    [ "$(id -u)" = 0 ] || fail 'the package list is empty: run apt-get update as root'
    logged apt-get update
    logged apt-get download prometheus
  fi
  logged dpkg-deb -x prometheus_*.deb .
  mkdir -p "$home"
  mv usr/bin "$home/bin"
  say "installed in $home"
}

# No part of `all`: no distribution has it as a package, and only the long tests need it.
install_prometheus3() {
  local home=$root/prometheus3 module=github.com/prometheus/prometheus@v0.${prometheus3_version/./} # 3.15.1 is v0.315.1
  "$home/bin/prometheus" --version 2>/dev/null | grep -q "$prometheus3_version" && { say "already in $home"; return; }
  need go 'install Go 1.26 or later, Prometheus is built from its source'
  export GOTOOLCHAIN=auto GOFLAGS= GOWORK=off
  say "fetching the source of Prometheus $prometheus3_version"
  logged go mod download -json "$module"
  cd "$(downloaded_folder)"
  mkdir "$part/bin"
  say 'building it, which takes minutes'
  # Without the clients of all the clouds in which it could look for targets.
  logged go build -buildvcs=false -tags remove_all_sd -ldflags "-s -w -X github.com/prometheus/common/version.Version=$prometheus3_version" \
    -o "$part/bin" ./cmd/prometheus ./cmd/promtool
  mkdir -p "$home"
  rm -rf "$home/bin"
  mv "$part/bin" "$home/bin"
  say "installed in $home"
}

# Where the last `go mod download -json` has put its module.
downloaded_folder() { sed -n 's/.*"Dir": "\(.*\)",*$/\1/p' "$log" | tail -n 1; }

say() { echo "$name: $*"; }
fail() {
  echo "$name: $*" >&2
  exit 1
}
need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }
logged() { "$@" >> "$log" 2>&1 || fail "'$1 $2' failed, see $log"; }

# One at a time, in a folder that is empty at first. The log stays when it fails.
begin() {
  name=$1 part=$root/$1.part log=$root/$1.log
  mkdir -p "$root"
  exec 9< "$root"
  if command -v flock >/dev/null; then flock 9; fi
  clean
  trap clean EXIT
  mkdir "$part"
  : > "$log"
}
clean() {
  [ ! -e "$part" ] || chmod -R u+w "$part" # Go's sources are read-only
  rm -rf "$part"
  [ -s "$log" ] || rm -f "$log"
}

case ${1:-} in
  all) install_all ;;
  kafka | influxd | prometheus | prometheus3)
    begin "$1"
    "install_$1"
    rm -f "$log"
    ;;
  *)
    sed -n 2,4p "$0" >&2
    exit 2
    ;;
esac
