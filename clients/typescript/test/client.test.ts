// Against the real server: scripts/client-typescript.sh starts one and sets the variables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Portico, PorticoError, answer } from "../src/index.js";

function setting(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run scripts/client-typescript.sh`);
  return value;
}

const url = setting("SERVER_URL");
const admin = setting("SERVER_ADMIN");
const password = setting("SERVER_PASSWORD");

async function thermometer(portico: Portico, name: string) {
  const body = { name, device_type: "sensor", location: "Room 2.07" };
  const { device } = await answer(portico.api.POST("/api/v1/devices/register", { body }));
  return device;
}

test("a device's telemetry goes in with its key and comes out to its owner", async () => {
  const portico = await Portico.signIn(url, admin, password);
  const device = await thermometer(portico, "Thermometer of the client");
  assert.equal(device.owner_name, admin);

  const itself = Portico.withKey(url, device.api_key);
  const stored = await answer(itself.api.POST("/api/v1/telemetry", { body: { data: { temperature: 21.5 } } }));
  assert.equal(stored.samples, 1);

  const path = { id: device.id };
  const latest = await answer(portico.api.GET("/api/v1/telemetry/{id}/latest", { params: { path } }));
  assert.deepEqual(latest.latest_data, { temperature: 21.5 });
  const chart = await answer(
    portico.api.GET("/api/v1/telemetry/{id}/chart", { params: { path, query: { key: "temperature" } } }),
  );
  assert.equal(chart.buckets.at(-1)?.last, 21.5);
});

test("an error has its code, the fields and the request's id", async () => {
  const portico = await Portico.signIn(url, admin, password);
  const refused = portico.api.POST("/api/v1/devices/register", { body: { name: "", device_type: "sensor" } });
  await assert.rejects(answer(refused), (error: unknown) => {
    assert.ok(error instanceof PorticoError);
    assert.equal(error.status, 400);
    assert.equal(error.code, "missing_fields");
    assert.deepEqual(error.problem?.errors?.map((wrong) => wrong.field), ["name"]);
    assert.match(error.problem?.request_id ?? "", /^[0-9a-f]{32}$/);
    return true;
  });
});

test("an access token that is not good any more is renewed unseen, once for all requests", async () => {
  const { api } = Portico.anonymous(url);
  const signedIn = await answer(api.POST("/api/v1/auth/login", { body: { username: admin, password } }));
  let renewals = 0;
  const portico = Portico.withTokens(url, "expired", signedIn.refresh_token, () => (renewals += 1));
  const answers = await Promise.all([1, 2, 3].map(() => answer(portico.api.GET("/api/v1/auth/me"))));
  assert.deepEqual(answers.map((me) => me.user.username), [admin, admin, admin]);
  assert.equal(renewals, 1);
});

test("the same idempotency key registers one device", async () => {
  const portico = await Portico.signIn(url, admin, password);
  const once = () =>
    answer(
      portico.api.POST("/api/v1/devices/register", {
        params: { header: { "Idempotency-Key": "client-test" } },
        body: { name: "Only one", device_type: "sensor" },
      }),
    );
  assert.equal((await once()).device.id, (await once()).device.id);
});

test("wrong credentials are refused", async () => {
  await assert.rejects(Portico.signIn(url, admin, "wrong"), { status: 401, code: "invalid_credentials" });
  const stranger = Portico.withKey(url, "0".repeat(32));
  await assert.rejects(answer(stranger.api.POST("/api/v1/devices/heartbeat")), { status: 401 });
});
