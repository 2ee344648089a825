// The receipt of a reservation: on the pass once it is paid, as a file.

import { createReadStream } from "node:fs";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits, PHONE } from "../support/look";
import { expect, expectLive, signIn, test } from "../support/test";

const PASSWORD = "seven purple umbrellas 42";

async function bytes(path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of createReadStream(path)) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

test("a driver takes the receipt from the pass once it is paid", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const rules = { currency: "EUR", unit_minutes: 60, unit_price_minor: 200 };
  const tariff = (await makeByApi(page.request, url, "parking/tariffs", { name: uniqueName("Tariff"), rules })).id;
  const lot = await makeByApi(page.request, url, "parking/lots", { name: uniqueName("Łódź"), tariff_id: tariff, time_zone: "Europe/Warsaw" });
  const level = await makeByApi(page.request, url, `parking/lots/${lot.id}/levels`, { name: "L1" });
  const spot = `T${process.pid}`;
  await makeByApi(page.request, url, "spots", { id: spot, level_id: level.id });

  const username = `payer${process.pid}`;
  await makeByApi(page.request, url, "users", { username, email: `${username}@example.org`, password: PASSWORD, role: "user" });
  const phone = await (await openContext({ baseURL: url, viewport: PHONE, hasTouch: true })).newPage();
  await signIn(phone, url, username, PASSWORD);
  await expect(phone.getByRole("heading", { name: "The building right now" })).toBeVisible();
  const start_time = new Date(Date.now() + 2 * 86_400_000).toISOString();
  const { reservation } = await makeByApi(phone.request, url, "reservations", { spot_id: spot, start_time, duration_hours: 2 });

  await phone.goto(`/reservations/${reservation.id}`);
  await expectLive(phone);
  await expect(phone.getByTestId("payment")).toContainText("4.00 EUR");
  const link = phone.getByRole("link", { name: "Receipt (PDF)" });
  await expect(link).toHaveCount(0);
  const path = `${url}/api/v1/reservations/${reservation.id}/receipt.pdf`;
  const early = await phone.request.get(path);
  expect(early.status()).toBe(409);
  expect((await early.json()).code).toBe("not_paid");

  // Paid at the desk: the pass offers the receipt by itself.
  const paid = await page.request.post(`${url}/api/v1/reservations/${reservation.id}/paid`, { headers: { Origin: url } });
  expect(paid.status(), await paid.text()).toBe(200);
  await expect(link).toBeVisible();
  await expectFits(phone, "pass with receipt");
  await expectClean(phone, "pass with receipt");
  const waits = phone.waitForEvent("download");
  await link.click();
  const download = await waits;
  expect(download.suggestedFilename()).toMatch(/^parking-receipt-\d{4}-\d\d-\d\d-P-[0-9A-F]{6}-[0-9A-F]{6}\.pdf$/);
  const file = await bytes(await download.path());
  expect(file.subarray(0, 5).toString()).toBe("%PDF-");
  expect(file.subarray(-6).toString()).toContain("%%EOF");
  // A font as a whole would be far larger.
  expect(file.length).toBeLessThan(150_000);

  const answer = await phone.request.get(path);
  expect(answer.headers()["cache-control"]).toBe("private, no-store");
  expect(answer.headers()["content-type"]).toBe("application/pdf");
  const stranger = await (await openContext({ baseURL: url })).request.get(path);
  expect(stranger.status()).toBe(401);
});
