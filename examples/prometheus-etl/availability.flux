// The share of time in which each target was up, in per cent.
from(bucket: "health_metrics")
  |> range(start: -1h)
  |> filter(fn: (r) => r._measurement == "up" and r._field == "value")
  |> group(columns: ["job", "instance"])
  |> mean()
  |> map(fn: (r) => ({r with _value: r._value * 100.0}))
