-- wrk sends the requests of a file in turn, and prints what was answered as one line of JSON.
local requests = {}
local next_one = 0

function init(args)
  for _, given in ipairs(dofile(args[1])) do
    requests[#requests + 1] = wrk.format(given[1], given[2], given[3], given[4])
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"answers":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
