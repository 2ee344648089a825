-- wrk: each connection posts three values of one of the devices in LOAD_KEYS, one key a line.
local keys = {}
for key in io.lines(os.getenv("LOAD_KEYS")) do
    keys[#keys + 1] = key
end
local sent = 0

function request()
    sent = sent + 1
    local body = string.format('{"data": {"temperature": %.1f, "humidity": %d, "co2": %d}}', 18 + sent % 70 / 10, 30 + sent % 40, 400 + sent % 900)
    return wrk.format("POST", "/api/v1/telemetry", { ["X-API-Key"] = keys[1 + sent % #keys], ["Content-Type"] = "application/json" }, body)
end

function done(summary, latency)
    local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    io.write(string.format('{"requests_per_s": %.0f, "p50_ms": %.2f, "p99_ms": %.2f, "failed": %d}\n',
        summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
