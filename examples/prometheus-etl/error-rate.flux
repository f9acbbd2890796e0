// The share of requests that failed, in per cent.
rateOf = (measurement) =>
  from(bucket: "health_metrics")
    |> range(start: -1h)
    |> filter(fn: (r) => r._measurement == measurement and r._field == "value")
    |> group(columns: ["_time"])
    |> sum()
    |> group()

failed = rateOf(measurement: "rate(http_requests_total{status=~\"5..\"}[5m])")
all = rateOf(measurement: "rate(http_requests_total[5m])")

join(tables: {failed: failed, all: all}, on: ["_time"])
  |> map(fn: (r) => ({_time: r._time, _value: if r._value_all == 0.0 then 0.0 else r._value_failed / r._value_all * 100.0}))
