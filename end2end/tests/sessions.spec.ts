// Vehicles and permits: who comes, stays too long, pays and leaves; a permit given, changed and revoked.

import type { APIRequestContext } from "@playwright/test";
import { makeByApi, registerByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits, PHONE } from "../support/look";
import { expect, expectLive, test } from "../support/test";

const RULES = { currency: "EUR", unit_minutes: 60, unit_price_minor: 200 };

let count = 0;
/** Tests share a house; their vehicles do not share plates. */
const plate = (): string => `B ${process.pid} ${++count}X`;

async function makeLot(request: APIRequestContext, url: string): Promise<{ id: string; name: string }> {
  const tariff = await makeByApi(request, url, "parking/tariffs", { name: uniqueName("Tariff"), rules: RULES });
  const name = uniqueName("Garage");
  const lot = await makeByApi(request, url, "parking/lots", { name, time_zone: "Europe/Berlin", tariff_id: tariff.id });
  return { id: lot.id, name };
}

test("a vehicle comes, is seen at once, pays and leaves", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 40[04]/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const [own, seen] = [plate(), plate()];
  await page.goto(`/parking/sessions?lot=${lot.id}`);
  await expectLive(page);
  await expect(page.getByRole("heading", { name: "Vehicles", level: 1 })).toBeVisible();
  await expect(page.getByText("No vehicle fits")).toBeVisible();

  await page.locator("summary").filter({ hasText: "Vehicle came" }).click();
  const form = page.locator("#vehicle-came");
  await form.getByLabel("Lot").selectOption({ label: lot.name });
  await form.getByRole("button", { name: "Enter vehicle" }).click();
  await expect(form.getByText("the plate of the vehicle, or its spot")).toBeVisible();
  await form.getByLabel("Number plate").fill(own);
  await form.getByRole("button", { name: "Enter vehicle" }).click();
  const row = page.getByRole("row").filter({ hasText: own });
  await expect(row).toContainText("There");
  await expect(row).toContainText("entered by hand");

  // A camera at the gate: the page hears of it.
  const camera = await registerByApi(page.request, url, { name: uniqueName("Gate camera"), device_type: "camera" });
  const told = await page.request.post(`${url}/api/v1/parking/sessions`, {
    data: { lot_id: lot.id, plate: seen },
    headers: { "X-API-Key": camera.apiKey },
  });
  expect(told.status(), await told.text()).toBe(201);
  await expect(page.getByRole("row").filter({ hasText: seen })).toContainText("seen by a camera");
  await expectClean(page);

  // It has stayed for a started hour: that is to be paid.
  await expect(row).toContainText("2.00 EUR to be paid");
  await row.locator("summary").filter({ hasText: "Paid" }).click();
  await row.getByRole("button", { name: "2.00 EUR paid" }).click();
  await expect(row.locator("summary").filter({ hasText: "Paid" })).toHaveCount(0);
  await row.locator("summary").filter({ hasText: "End" }).click();
  await row.getByRole("button", { name: `${own} has left` }).click();
  await expect(page.getByRole("row").filter({ hasText: own })).toHaveCount(0);

  // The other by its plate, written in another way.
  await page.locator("summary").filter({ hasText: "Vehicle left" }).click();
  const leaving = page.locator("#vehicle-left");
  await leaving.getByLabel("Lot").selectOption({ label: lot.name });
  await leaving.getByLabel("Number plate").fill("NOT THERE 1");
  await leaving.getByRole("button", { name: "Let it leave" }).click();
  await expect(leaving.getByText("No vehicle with this plate is there.")).toBeVisible();
  await leaving.getByLabel("Number plate").fill(seen.toLowerCase().replaceAll(" ", "-"));
  await leaving.getByRole("button", { name: "Let it leave" }).click();
  await expect(page.getByRole("row").filter({ hasText: seen })).toHaveCount(0);

  await page.goto(`/parking/sessions?lot=${lot.id}&show=left&plate=${encodeURIComponent(seen.toLowerCase())}`);
  await expect(page.getByRole("row").filter({ hasText: seen })).toContainText("2.00 EUR to be paid");
  await expect(page.getByRole("row").filter({ hasText: own })).toHaveCount(0);
});

test("a permit is given, changed and revoked, and who is there by it stays too long", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const own = plate();
  await page.goto("/parking");
  await expectLive(page);
  await page.getByRole("navigation", { name: "About parking" }).getByRole("link", { name: "Permits" }).click();
  await expect(page.getByRole("heading", { name: "Permits", level: 1 })).toBeVisible();
  await page.locator("summary").filter({ hasText: "New permit" }).click();
  const form = page.locator("#create-permit");
  await form.getByLabel("Number plate").fill(own);
  await form.getByLabel("What for").fill("Staff");
  await form.getByLabel("Until").fill("2001-01-01T00:00");
  await form.getByLabel("Lot").selectOption({ label: lot.name });
  await form.getByRole("button", { name: "Give permit" }).click();
  await expect(form.getByText("lies after the beginning")).toBeVisible();
  await expect(form.getByLabel("Number plate")).toHaveValue(own);
  await form.getByLabel("Until").fill("2099-01-01T00:00");
  await form.getByRole("button", { name: "Give permit" }).click();
  const row = page.getByRole("row").filter({ hasText: own });
  await expect(row).toContainText("Holds");
  await expect(row).toContainText(lot.name);
  await expectClean(page);

  await row.locator("summary").filter({ hasText: "Times" }).click();
  await row.getByLabel("Until, empty: no end").fill("");
  await row.getByRole("button", { name: "Change times" }).click();
  await expect(row).toContainText("From ");
  await expect(row).not.toContainText("2099");

  const came = await makeByApi(page.request, url, "parking/sessions", { lot_id: lot.id, plate: own });
  expect(came.permit_id).not.toBeNull();
  await row.locator("summary").filter({ hasText: "Revoke" }).click();
  await row.getByRole("button", { name: `Revoke permit of ${own}` }).click();
  await expect(page.getByRole("row").filter({ hasText: own })).toHaveCount(0);
  await page.goto(`/parking/permits?show=over&search=${encodeURIComponent(own)}`);
  await expect(page.getByRole("row").filter({ hasText: own })).toContainText("Revoked");

  await page.goto(`/parking/sessions?lot=${lot.id}`);
  const late = page.getByRole("region", { name: "There too long" });
  await expect(late.getByRole("row").filter({ hasText: own })).toContainText("Too long");
});

test("a lot limits how long vehicles stay that have neither reservation nor permit", async ({ page, house }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  await page.goto(`/parking/${lot.id}/edit`);
  await expectLive(page);
  await page.locator(".park-settings > summary").click();
  await page.getByLabel("Longest stay, minutes").fill("60");
  await page.getByRole("button", { name: "Save settings" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();

  const [late, fresh] = [plate(), plate()];
  const before = new Date(Date.now() - 2 * 3_600_000).toISOString();
  await makeByApi(page.request, url, "parking/sessions", { lot_id: lot.id, plate: late, at: before });
  await makeByApi(page.request, url, "parking/sessions", { lot_id: lot.id, plate: fresh });
  await page.goto(`/parking/sessions?lot=${lot.id}`);
  const over = page.getByRole("region", { name: "There too long" });
  await expect(over.getByRole("row").filter({ hasText: late })).toContainText("May stay until");
  await expect(over.getByRole("row").filter({ hasText: fresh })).toHaveCount(0);
  await expect(page.getByRole("row").filter({ hasText: fresh })).toContainText("There");
});

test("vehicles and permits fit a phone and are clean", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const own = plate();
  await makeByApi(page.request, url, "parking/permits", { plate: own, holder: "Dora Driver", label: "Season ticket" });
  await makeByApi(page.request, url, "parking/sessions", { lot_id: lot.id, plate: own });
  await makeByApi(page.request, url, "parking/sessions", { lot_id: lot.id, plate: plate() });
  const phone = await (await openContext({ baseURL: url, storageState: house.state, viewport: PHONE, hasTouch: true })).newPage();
  for (const path of [`/parking/sessions?lot=${lot.id}`, "/parking/permits"]) {
    await phone.goto(path);
    await expectLive(phone);
    await expect(phone.getByRole("row").filter({ hasText: own })).toBeVisible();
    await expectFits(phone, path);
    await expectClean(phone, path);
  }
});

test("without JavaScript a vehicle comes and leaves", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const own = plate();
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto("/parking/sessions");
  await plain.locator("summary").filter({ hasText: "Vehicle came" }).click();
  const form = plain.locator("#vehicle-came");
  await form.getByLabel("Lot").selectOption({ label: lot.name });
  await form.getByLabel("Number plate").fill(own);
  await form.getByRole("button", { name: "Enter vehicle" }).click();
  const row = plain.getByRole("row").filter({ hasText: own });
  await expect(row).toContainText("There");
  await row.locator("summary").filter({ hasText: "End" }).click();
  await row.getByRole("button", { name: `${own} has left` }).click();
  await expect(plain.getByRole("row").filter({ hasText: own })).toHaveCount(0);
  await plain.goto(`/parking/sessions?show=left&lot=${lot.id}`);
  await expect(plain.getByRole("row").filter({ hasText: own })).toContainText("Left");
});
