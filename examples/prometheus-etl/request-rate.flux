// Requests per second of each handler. A result without a name has its expression for a measurement.
from(bucket: "health_metrics")
  |> range(start: -1h)
  |> filter(fn: (r) => r._measurement == "rate(http_requests_total[5m])" and r._field == "value")
  |> group(columns: ["handler", "_time"])
  |> sum()
  |> group(columns: ["handler"])
