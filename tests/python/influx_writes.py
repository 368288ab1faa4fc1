"""Writes with both of InfluxDB's own clients, unmodified."""

import sys
from datetime import datetime, timezone

from influxdb import InfluxDBClient as ClientV1
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS

SERVER = sys.argv[1]
HOST, PORT = SERVER.removeprefix("http://").split(":")

with InfluxDBClient(url=SERVER, token="any", org="o", enable_gzip=True) as client:
    assert client.ping()
    assert client.health().status == "pass"
    writer = client.write_api(write_options=SYNCHRONOUS)
    at = datetime(2026, 11, 9, 14, 25, tzinfo=timezone.utc)
    points = [Point("cpu").tag("host", f"h{n % 3}").field("usage", n / 2).field("n", n).time(at) for n in range(1000)]
    writer.write(bucket="metrics", record=points)

client = ClientV1(host=HOST, port=int(PORT), username="me", password="any", database="metrics")
client.ping()
client.create_database("metrics")
client.write_points(
    [{"measurement": "cpu", "tags": {"host": "old"}, "time": "2026-11-09T14:26:00Z", "fields": {"usage": 1.0, "ok": True}}]
)
print("written")
