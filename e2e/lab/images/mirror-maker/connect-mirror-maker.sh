#!/bin/sh
# Becomes MirrorMaker with the properties file that it is given. KAFKA_HEAP_OPTS: java's heap options.
set -eu
log="-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.logFile=System.out"
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS:--Xms128m -Xmx384m} -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError $log -cp '/opt/kafka/libs/*' \
  org.apache.kafka.connect.mirror.MirrorMaker "$1"
