#!/bin/sh
# Formats the data folder once, then becomes the broker. KAFKA_CONFIG_FILE: common settings; KAFKA_NODE_ID,
# KAFKA_RACK, KAFKA_HOST: what is this broker's own; KAFKA_CLUSTER_ID; KAFKA_HEAP: java's heap options.
set -eu
: "${KAFKA_CONFIG_FILE:?}" "${KAFKA_NODE_ID:?}" "${KAFKA_RACK:?}" "${KAFKA_HOST:?}" "${KAFKA_CLUSTER_ID:?}"
config=/tmp/server.properties
{
  cat "$KAFKA_CONFIG_FILE"
  echo
  echo "node.id=$KAFKA_NODE_ID"
  echo "broker.rack=$KAFKA_RACK"
  echo "advertised.listeners=CLIENT://$KAFKA_HOST:9092"
  echo "log.dirs=/data/log"
} > "$config"
log="-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.logFile=System.out"
if [ ! -f /data/log/meta.properties ]; then
  # shellcheck disable=SC2086
  java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 $log -cp '/kafka/libs/*' \
    kafka.tools.StorageTool format --cluster-id "$KAFKA_CLUSTER_ID" --config "$config"
fi
# Java keeps for ten seconds that a name was not found. Half of the questions go to a name server of a zone that is lost, and a
# broker that finds no other one elects no controller.
echo 'networkaddress.cache.negative.ttl=1' > /tmp/java.security
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP:--Xms192m -Xmx448m} -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError $log -cp '/kafka/libs/*' \
  -Djava.security.properties=/tmp/java.security kafka.Kafka "$config"
