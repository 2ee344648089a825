// Cardholders: added, given cards and PINs, enrolled at a reader as the existing firmware does it; policies and the tester.

import { makeByApi, registerByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { expect, expectLive, test } from "../support/test";

type Page = import("@playwright/test").Page;

const credentials = (page: Page) => page.getByRole("table", { name: "Cards, PINs and fingers" }).getByRole("row");

test("a cardholder is added, gets a PIN that is shown once, and it is blocked", async ({ page }) => {
  const name = uniqueName("Ann Archer");
  await page.goto("/cardholders");
  await expectLive(page);
  await page.getByText("Add cardholder", { exact: true }).first().click();
  const form = page.locator("#create-person");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("E-mail").fill("ann@example.org");
  await form.getByRole("button", { name: "Add cardholder" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expectLive(page);
  await expect(page.getByText("Nothing yet: no door opens for this person.")).toBeVisible();

  await page.locator("section", { has: page.locator("#credentials-title") }).getByText("Add", { exact: true }).click();
  const add = page.locator("#add-credential");
  await add.getByLabel("What").selectOption("pin");
  await add.getByRole("button", { name: "Add credential" }).click();
  await expect(page.getByText(/The PIN is \d{6}\. It is shown this once/)).toBeVisible();
  const pin = credentials(page).filter({ hasText: "PIN" });
  await expect(pin).toContainText("Active");
  await pin.getByRole("button", { name: "Block PIN ••••", exact: true }).click();
  await expect(pin).toContainText("Blocked");
  await page.reload();
  await expect(credentials(page).filter({ hasText: "PIN" })).toContainText("Blocked");
  await expect(page.getByText(/The PIN is/)).toHaveCount(0);
  await expectClean(page);
});

test("a card is enrolled at a reader that polls, while the page watches", async ({ page, request, house }) => {
  const { url } = house.portico;
  const reader = await registerByApi(page.request, url, { name: uniqueName("Front reader"), device_type: "reader" });
  const headers = { "X-API-Key": reader.apiKey };
  const poll = async () => (await request.get(`${url}/api/poll_registration`, { headers })).json();
  const person = await makeByApi(page.request, url, "access/people", { name: uniqueName("Enrolled") });
  await page.goto(`/cardholders/${person.id}`);
  await expectLive(page);
  expect(await poll()).toEqual({ register: false, user_id: null });

  await page.getByLabel("Reader", { exact: true }).selectOption({ label: reader.name });
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByText(`Waiting at ${reader.name}`)).toBeVisible();
  await page.getByRole("button", { name: "Cancel enrolment" }).click();
  await expect(page.getByText("Cancelled", { exact: true })).toBeVisible();
  expect((await poll()).register).toBe(false);

  await page.getByLabel("Reader", { exact: true }).selectOption({ label: reader.name });
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByText(`Waiting at ${reader.name}`)).toBeVisible();
  expect(await poll()).toEqual({ register: true, user_id: person.number });
  const uid = `${Date.now().toString(16)}${process.pid.toString(16)}`.toUpperCase();
  const data = { user_id: person.number, rfid_uid: uid };
  const registered = await request.post(`${url}/api/register_rfid`, { headers, data });
  expect(registered.status(), await registered.text()).toBe(200);
  await request.post(`${url}/api/clear_registration`, { headers, data: {} });
  await expect(page.getByText("Enrolled", { exact: true })).toBeVisible();
  await expect(credentials(page).filter({ hasText: `Card …${uid.slice(-4)}` })).toBeVisible();
  expect((await poll()).register).toBe(false);
});

test("hours and a policy are made, and the tester says who gets in when, also without JavaScript", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const door = await makeByApi(page.request, url, "doors", { name: uniqueName("Main entrance") });
  const person = await makeByApi(page.request, url, "access/people", { name: uniqueName("Tested") });
  const [hours, policy] = [uniqueName("Office hours"), uniqueName("Staff")];
  await page.goto("/policies");
  await expectLive(page);
  await page.getByText("New hours", { exact: true }).click();
  const schedule = page.locator("#create-schedule");
  await schedule.getByLabel("Name of the hours").fill(hours);
  await schedule.getByRole("button", { name: "Make hours" }).click();
  await expect(page.getByRole("list", { name: "Hours" }).getByText(hours)).toBeVisible();
  await expect(page.getByText("Mon–Fri 08:00–18:00 · in no policy").first()).toBeVisible();

  await page.getByText("New policy", { exact: true }).click();
  const form = page.locator("#create-policy");
  await form.getByLabel("Name", { exact: true }).fill(policy);
  await form.getByLabel("Who", { exact: true }).selectOption("person");
  await form.getByLabel("Person, when it is for one").fill(`#${person.number}`);
  await form.getByLabel("Doors").selectOption(`door:${door.id}`);
  await form.getByLabel("Hours").selectOption({ label: hours });
  await form.getByRole("button", { name: "Make policy" }).click();
  const row = page.getByRole("table", { name: /Policies/ }).getByRole("row").filter({ hasText: policy });
  await expect(row).toContainText(hours);

  const question = (at: string) => `/policies?person=${person.id}&door=${door.id}&at=${encodeURIComponent(at)}`;
  await page.goto(question("2026-11-23T12:00"));
  await expect(page.getByText("Gets in", { exact: true })).toBeVisible();
  await expectLive(page);
  await expectClean(page);
  // Another policy, another answer, at once.
  await row.getByRole("button", { name: `Switch ${policy} off` }).click();
  await expect(page.getByText("Does not get in", { exact: true })).toBeVisible();
  await row.getByRole("button", { name: `Switch ${policy} on` }).click();
  await expect(page.getByText("Gets in", { exact: true })).toBeVisible();

  const context = await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(question("2026-11-23T20:00"));
  await expect(plain.getByText("Does not get in", { exact: true })).toBeVisible();
  await expect(plain.getByText(/does not cover this hour/)).toBeVisible();
  await expect(plain.getByRole("table", { name: "What each policy says" }).getByRole("row").filter({ hasText: policy })).toContainText("Does not cover that hour.");
});

test("without JavaScript a cardholder is added and found", async ({ house, openContext }) => {
  const context = await openContext({ baseURL: house.portico.url, storageState: house.state, javaScriptEnabled: false });
  const page = await context.newPage();
  const name = uniqueName("Plain");
  await page.goto("/cardholders");
  await page.getByText("Add cardholder", { exact: true }).first().click();
  const form = page.locator("#create-person");
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button", { name: "Add cardholder" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await page.goto(`/cardholders?search=${encodeURIComponent(name)}`);
  await expect(page.getByRole("link", { name })).toBeVisible();
});

for (const [width, height] of [[390, 844], [1280, 800]] as const)
  for (const scheme of ["light", "dark"] as const)
    test(`pages fit ${width} pixels, ${scheme}`, async ({ house, openContext }, info) => {
      const { url } = house.portico;
      const context = await openContext({ baseURL: url, storageState: house.state, viewport: { width, height }, colorScheme: scheme });
      const page = await context.newPage();
      const person = await makeByApi(page.request, url, "access/people", { name: uniqueName("Fits"), employee_id: uniqueName("E") });
      const card = { kind: "rfid", value: `${Date.now().toString(16)}${width}${scheme === "dark" ? "D" : "1"}` };
      await makeByApi(page.request, url, `access/people/${person.id}/credentials`, card);
      for (const path of ["/cardholders", `/cardholders/${person.id}`, "/policies"]) {
        await page.goto(path);
        await expectLive(page);
        await expectFits(page);
        await expectClean(page);
        await page.screenshot({ path: info.outputPath(`${path.replaceAll("/", "_")}.png`), fullPage: true });
      }
    });
