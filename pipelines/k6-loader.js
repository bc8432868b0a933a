// k6-loader.js - one shard as k6 scenarios, one a variant; see k6-loader.sh.
import http from "k6/http";
import encoding from "k6/encoding";

const shard = JSON.parse(open(__ENV.PLAN)).data;
const load = shard.workload;
const duration = `${load.duration_ms}ms`;

function scenario(target) {
  return {
    executor: "constant-arrival-rate",
    rate: Math.max(1, Math.round((load.rate_per_s / shard.targets.length) * 60)),
    timeUnit: "60s",
    duration,
    preAllocatedVUs: Math.min(shard.limits.in_flight, 256), // k6 drops what is due while it makes more
    maxVUs: shard.limits.in_flight,
    env: { TARGET: JSON.stringify(target) },
  };
}

export const options = {
  scenarios: Object.fromEntries(shard.targets.map((t) => [t.variant, scenario(t)])),
  discardResponseBodies: true,
};

const body = shard.payloads.length ? encoding.b64decode(shard.payloads[0].base64, "std", "s") : null;

export default function () {
  const target = JSON.parse(__ENV.TARGET);
  const params = { headers: { "Plimsoll-Run": shard.run }, timeout: `${shard.limits.timeout_ms}ms` };
  http.request(body ? "POST" : "GET", target.url, body, params);
}
