"""Rows of a sensor CSV to a Kafka topic, as a script with kafka-python does it: produce.py FILE BROKER TOPIC"""

import csv
import json
import sys

from kafka import KafkaProducer

file, broker, topic = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=broker, value_serializer=lambda event: json.dumps(event).encode())
with open(file, newline="") as rows:
    for row in csv.DictReader(rows):
        data = {name: float(row[name]) for name in ("co", "humidity", "lpg", "smoke", "temp")}
        data |= {name: row[name] == "true" for name in ("light", "motion")}
        producer.send(topic, {"data": data, "device_id": row["device"], "ts": float(row["ts"])})
producer.flush()
