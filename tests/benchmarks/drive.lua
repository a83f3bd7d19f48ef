-- Drives one mix of requests: lines of `weight method path body-or-dash` from the file MIX, in random order. The token is
-- that of the hospital in the path: lines of `slug token` in the file TOKENS.
-- At the end prints one line of JSON: requests, seconds, percentiles in ms, errors by kind.
local requests, total, tokens = {}, 0, {}

local function load(name)
  for line in io.lines(os.getenv("TOKENS")) do
    local slug, token = line:match("^(%S+) (%S+)$")
    tokens[slug] = token
  end
  for line in io.lines(name) do
    local weight, method, path, body = line:match("^(%S+) (%S+) (%S+) (.*)$")
    total = total + tonumber(weight)
    local headers = { ["Authorization"] = "Bearer " .. tokens[path:match("^/h/([^/]+)/")], ["Accept"] = "application/fhir+json" }
    if body ~= "-" then headers["Content-Type"] = "application/fhir+json" end
    table.insert(requests, { total, wrk.format(method, path, headers, body ~= "-" and body or nil) })
  end
end

local seeds = 0
function setup(thread)
  seeds = seeds + 1
  thread:set("seed", seeds)
end

function init(args)
  math.randomseed(seed * 7919)
  load(os.getenv("MIX"))
end

function request()
  local at = math.random() * total
  local low, high = 1, #requests
  while low < high do
    local middle = math.floor((low + high) / 2)
    if requests[middle][1] < at then low = middle + 1 else high = middle end
  end
  return requests[low][2]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.3f, "p50": %.2f, "p95": %.2f, "p99": %.2f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(95) / 1000,
    latency:percentile(99) / 1000, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
