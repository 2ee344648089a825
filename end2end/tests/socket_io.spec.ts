// The events of the former parking server, heard by the client library that its dashboards use.

import type { APIRequestContext } from "@playwright/test";
import { io, type Socket } from "socket.io-client";
import { makeByApi, uniqueName } from "../support/devices";
import { code, placeSensor, say } from "../support/parking";
import { ADMIN, expect, test } from "../support/test";

async function accessToken(request: APIRequestContext, url: string): Promise<string> {
  const answer = await request.post(`${url}/api/v1/auth/login`, { data: { username: ADMIN.username, password: ADMIN.password }, headers: { Origin: url } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
  return (await answer.json()).access_token;
}

/** What a client has heard: name and payload of each event. */
function listen(socket: Socket): [string, unknown][] {
  const heard: [string, unknown][] = [];
  socket.onAny((name: string, payload: unknown) => heard.push([name, payload]));
  return heard;
}

const refusal = (socket: Socket): Promise<string> => new Promise((done) => socket.on("connect_error", (error) => done(error.message)));

for (const transport of ["polling", "websocket"])
  test(`who signs in hears what happens at the spots, over ${transport}`, async ({ page, house }) => {
    const { url } = house.portico;
    const spot = code("PARK");
    const lot = await makeByApi(page.request, url, "parking/lots", { name: uniqueName("Garage"), debounce_s: 0 });
    const level = await makeByApi(page.request, url, `parking/lots/${lot.id}/levels`, { name: "L1", position: 1 });
    await makeByApi(page.request, url, "spots", { id: spot, level_id: level.id });
    await placeSensor(page.request, url, spot, spot);

    const socket = io(url, { transports: [transport], auth: { token: await accessToken(page.request, url) }, forceNew: true });
    try {
      const heard = listen(socket);
      await expect.poll(() => heard).toContainEqual(["connected", { status: "Connected to parking system" }]);
      socket.emit("subscribe_spot", { spot_id: spot });
      await expect.poll(() => heard).toContainEqual(["subscribed", { spot_id: spot }]);
      await say(page.request, url, spot, true);
      const changed = ["spot_status_changed", { spot_id: spot, occupied: true, timestamp: expect.any(String) }];
      await expect.poll(() => heard).toContainEqual(changed);
      await say(page.request, url, spot, false);
      const start = new Date(Date.now() + 86_400_000).toISOString();
      const reserved = await makeByApi(page.request, url, "reservations", { spot_id: spot, start_time: start, duration_hours: 1 });
      const id = reserved.reservation.id;
      await expect.poll(() => heard).toContainEqual(["spot_reserved", { spot_id: spot, reservation_id: id }]);
    } finally {
      socket.close();
    }
  });

test("nobody listens without saying who he is, and a page of another site not at all", async ({ house }) => {
  const { url } = house.portico;
  const nobody = io(url, { transports: ["websocket"], forceNew: true, reconnection: false });
  expect(await refusal(nobody)).toContain("Authorization");
  const guesser = io(url, { transports: ["websocket"], auth: { token: "guessed" }, forceNew: true, reconnection: false });
  expect(await refusal(guesser)).not.toEqual("");
  const cookie = house.state.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const extraHeaders = { Cookie: cookie, Origin: "https://elsewhere.example" };
  const elsewhere = io(url, { transports: ["websocket"], extraHeaders, forceNew: true, reconnection: false });
  expect(await refusal(elsewhere)).toContain("another site");
  for (const socket of [nobody, guesser, elsewhere]) {
    expect(socket.connected).toBe(false);
    socket.close();
  }
});
