// The 95th percentile of what requests take, in seconds.
from(bucket: "health_metrics")
  |> range(start: -1h)
  |> filter(fn: (r) => r._measurement == "histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))")
  |> filter(fn: (r) => r._field == "value")
  |> group(columns: ["handler"])
