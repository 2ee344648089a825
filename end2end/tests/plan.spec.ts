// Plans with doors on them, groups and zones, and what readers know: made on the pages, seen live, without JavaScript, on a
// phone, in light and dark.

import type { Page } from "@playwright/test";
import { makeByApi, makeDoor, uniqueName } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { expect, expectLive, test } from "../support/test";

const drawing = (colour: string) =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 500"><rect width="800" height="500" fill="${colour}"/>` +
      `<path d="M40 40h720v420H40zM400 40v160m0 80v180" fill="none" stroke="#888" stroke-width="6"/>` +
      `<script>document.title = "taken over"; window.parent.document.title = "taken over"</script></svg>`,
  );

async function upload(page: Page, url: string, name: string): Promise<string> {
  const answer = await page.request.post(`${url}/api/v1/plans?name=${encodeURIComponent(name)}`, {
    data: drawing("white"),
    headers: { Origin: url },
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).id;
}

test("a plan is uploaded, a door is placed on it by a click, and shows how it is", async ({ page, house, request, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Hall");
  const name = uniqueName("Ground floor");
  await page.goto("/doors/plan");
  await expectLive(page);
  await page.locator("summary").filter({ hasText: "Add plan" }).click();
  const form = page.locator("#upload-plan");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Picture").setInputFiles({ name: "plan.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<p>no</p>") });
  await form.getByRole("button", { name: "Upload plan" }).click();
  await expect(form.getByText(/no SVG, PNG, JPEG or WebP/)).toBeVisible();
  await form.getByLabel("Picture").setInputFiles({ name: "plan.svg", mimeType: "image/svg+xml", buffer: drawing("#eef") });
  await form.getByRole("button", { name: "Upload plan" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page).toHaveTitle(/Plan/);
  const picture = page.getByRole("img", { name: `Plan of ${name}` });
  await expect.poll(() => picture.evaluate((shown: HTMLImageElement) => shown.complete && shown.naturalWidth > 0)).toBe(true);

  await page.locator("#place-door").getByLabel("Door", { exact: true }).selectOption({ label: door.name });
  const box = (await picture.boundingBox())!;
  await picture.click({ position: { x: box.width / 2, y: box.height / 4 } });
  await expect(page.getByLabel("From the left, %")).toHaveValue(/^(49\.\d|50(\.\d)?)$/);
  await page.getByRole("button", { name: "Place door" }).click();
  const marker = page.getByRole("link", { name: new RegExp(`^${door.name}: Unknown`) });
  await expect(marker).toBeVisible();
  const placed = (await (await page.request.get(`${url}/api/v1/doors/${door.id}`)).json()) as { plan_x: number; plan_y: number };
  expect(placed.plan_x).toBeCloseTo(0.5, 1);
  expect(placed.plan_y).toBeCloseTo(0.25, 1);
  const at = (await marker.locator("circle").first().boundingBox())!;
  expect(Math.abs(at.x + at.width / 2 - (box.x + box.width / 2))).toBeLessThan(12);

  const say = (state: string) =>
    request.post(`${url}/api/door_state`, { data: { state }, headers: { "X-API-Key": door.reader.apiKey } });
  expect((await say("closed")).ok()).toBeTruthy();
  await expect(page.getByRole("link", { name: `${door.name}: Closed` })).toBeVisible();
  expect((await say("open")).ok()).toBeTruthy();
  await expect(page.getByRole("link", { name: `${door.name}: Forced open` })).toBeVisible();
  expect((await say("closed")).ok()).toBeTruthy();
  await page.getByRole("link", { name: `${door.name}: Closed` }).click();
  await expect(page.getByRole("heading", { name: door.name, level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();

  // Another name, another picture, off the plan, away with it.
  await page.locator("summary").filter({ hasText: "Edit" }).click();
  await page.locator("#rename-plan").getByLabel("Name").fill(`${name} new`);
  await page.getByRole("button", { name: "Save name" }).click();
  await expect(page.getByRole("heading", { name: `${name} new`, level: 1 })).toBeVisible();
  await page.getByRole("button", { name: `Take ${door.name} off the plan` }).click();
  await expect(page.getByRole("link", { name: new RegExp(`^${door.name}: `) })).toHaveCount(0);
  await page.locator("summary").filter({ hasText: "Remove" }).click();
  await page.getByRole("button", { name: "Remove plan" }).click();
  await expect(page.getByRole("heading", { name: `${name} new`, level: 1 })).toHaveCount(0);
});

test("a drawing's script runs nowhere, also when the drawing is opened by itself", async ({ page, house, openContext, complaints }) => {
  complaints.expected.push(/Content Security Policy|sandboxed|scripts? /i);
  const { url } = house.portico;
  const id = await upload(page, url, uniqueName("Hostile"));
  const screen = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await screen.goto(`/api/v1/plans/${id}/picture`);
  expect(await screen.title()).not.toBe("taken over");
});

test("without JavaScript a door is placed by numbers, and groups and zones are kept", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Cellar");
  const plan = await upload(page, url, uniqueName("Cellar"));
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto(`/doors/plan?plan=${plan}`);
  await plain.getByLabel("Door", { exact: true }).selectOption({ label: door.name });
  await plain.getByLabel("From the left, %").fill("25");
  await plain.getByLabel("From the top, %").fill("75.5");
  await plain.getByRole("button", { name: "Place door" }).click();
  await expect(plain.getByRole("link", { name: `${door.name}: Unknown` })).toBeVisible();
  await expect(plain.getByRole("list", { name: "Doors on this plan" })).toContainText(door.name);

  await plain.goto("/doors/areas");
  const [group, zone] = [uniqueName("Outer doors"), uniqueName("Laboratory")];
  await plain.locator("summary").filter({ hasText: "New group" }).click();
  const groups = plain.getByRole("region", { name: "Groups of doors" });
  await groups.getByLabel("Name").first().fill(group);
  await groups.getByLabel(door.name).first().check();
  await groups.getByRole("button", { name: "Save group" }).first().click();
  await expect(plain.getByRole("list", { name: "Groups of doors" }).getByRole("listitem").filter({ hasText: group })).toContainText(door.name);
  await plain.locator("summary").filter({ hasText: "New zone" }).click();
  const zones = plain.getByRole("region", { name: "Zones" });
  await zones.getByLabel("Name").first().fill(zone);
  await zones.getByLabel("Who is inside and comes in again").first().selectOption("hard");
  await zones.getByRole("button", { name: "Save zone" }).first().click();
  await expect(plain.getByRole("list", { name: "Zones" }).getByRole("listitem").filter({ hasText: zone })).toContainText("nobody inside · coming in twice is refused");
});

test("a group and a zone are changed in one browser and seen in another, and a door leads into the zone", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Lab");
  const other = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  for (const screen of [page, other]) {
    await screen.goto("/doors/areas");
    await expectLive(screen);
  }
  const [group, zone] = [uniqueName("Labs"), uniqueName("Clean room")];
  await page.locator("summary").filter({ hasText: "New group" }).click();
  const groups = page.getByRole("region", { name: "Groups of doors" });
  await groups.getByLabel("Name").first().fill(group);
  await groups.getByLabel(door.name).first().check();
  await groups.getByRole("button", { name: "Save group" }).first().click();
  const line = (screen: Page, list: string, name: string) =>
    screen.getByRole("list", { name: list }).getByRole("listitem").filter({ has: screen.locator("strong", { hasText: name }) });
  for (const screen of [page, other]) await expect(line(screen, "Groups of doors", group)).toContainText(door.name);
  await line(page, "Groups of doors", group).locator("summary").filter({ hasText: "Edit" }).click();
  await line(page, "Groups of doors", group).getByLabel(door.name).uncheck();
  await line(page, "Groups of doors", group).getByRole("button", { name: "Save group" }).click();
  for (const screen of [page, other]) await expect(line(screen, "Groups of doors", group)).toContainText("No doors");

  await page.locator("summary").filter({ hasText: "New zone" }).click();
  const zones = page.getByRole("region", { name: "Zones" });
  await zones.getByLabel("Name").first().fill(zone);
  await zones.getByRole("button", { name: "Save zone" }).first().click();
  for (const screen of [page, other]) await expect(line(screen, "Zones", zone)).toContainText("nobody inside");

  await page.goto(`/doors/${door.id}`);
  await expectLive(page);
  await page.locator("summary").filter({ hasText: "Edit" }).click();
  await page.locator("#edit-door").getByLabel("Inside is").selectOption({ label: zone });
  await page.locator("#edit-door").getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByRole("link", { name: zone })).toBeVisible();

  await line(other, "Zones", zone).locator("summary").filter({ hasText: "Remove" }).click();
  await line(other, "Zones", zone).getByRole("button", { name: "Remove zone" }).click();
  await expect(line(other, "Zones", zone)).toHaveCount(0);
});

test("an answer that comes late folds its own form, and none that was unfolded meanwhile", async ({ page, house }) => {
  const { url } = house.portico;
  const [known, added] = [uniqueName("Known"), uniqueName("Added")];
  await makeByApi(page.request, url, "door-groups", { name: known });
  await page.goto("/doors/areas");
  await expectLive(page);
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/sfn/access/save_door_group", async (route) => {
    const answer = await route.fetch({ maxRedirects: 0 });
    await released;
    await route.fulfill({ response: answer });
  });
  const groups = page.getByRole("region", { name: "Groups of doors" });
  const line = (name: string) => groups.getByRole("listitem").filter({ has: page.locator("strong", { hasText: name }) });
  await page.locator("summary").filter({ hasText: "New group" }).click();
  await groups.getByLabel("Name").first().fill(added);
  await groups.getByRole("button", { name: "Save group" }).first().click();
  // Told live, before the answer.
  await expect(line(added)).toBeVisible();
  // The unfolded form lies over the list: by the keys.
  await line(known).locator("summary").filter({ hasText: "Edit" }).press("Enter");
  await line(known).getByLabel("Description").fill("Half a sentence");
  release();
  await expect(groups.getByLabel("Name").first()).toBeHidden();
  await expect(line(known).getByLabel("Description")).toBeVisible();
  await expect(line(known).getByLabel("Description")).toHaveValue("Half a sentence");
  // Nor does what somebody else does.
  const another = uniqueName("Another");
  await makeByApi(page.request, url, "door-groups", { name: another });
  await expect(line(another)).toBeVisible();
  await expect(line(known).getByLabel("Description")).toHaveValue("Half a sentence");
  await line(known).getByRole("button", { name: "Save group" }).click();
  await expect(line(known)).toContainText("Half a sentence");
});

test("what is unfolded and typed before the page comes alive stays so", async ({ page }) => {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route(/\.wasm/, async (route) => {
    await released;
    await route.continue();
  });
  // It has loaded when its program has.
  await page.goto("/doors/areas", { waitUntil: "commit" });
  await page.locator("summary").filter({ hasText: "New group" }).click();
  const name = page.getByRole("region", { name: "Groups of doors" }).getByLabel("Name").first();
  await name.fill("Early");
  release();
  await expectLive(page);
  await expect(name).toBeVisible();
  await expect(name).toHaveValue("Early");
  await page.locator("summary").filter({ hasText: "New group" }).click();
  await expect(name).toBeHidden();
});

test("the page of readers says what each knows, live", async ({ page, house, request }) => {
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Annex");
  await page.goto("/doors/readers");
  await expectLive(page);
  const row = page.getByRole("row").filter({ hasText: door.reader.name });
  await expect(row).toContainText("Nothing");
  await expect(row).toContainText("It keeps the door shut");
  const headers = { "X-API-Key": door.reader.apiKey };
  const first = await request.get(`${url}/api/v1/access/sync`, { headers });
  expect(first.ok(), await first.text()).toBeTruthy();
  const { version } = await first.json();
  expect((await request.get(`${url}/api/v1/access/sync?since=${version}`, { headers })).ok()).toBeTruthy();
  await expect(row).toContainText("What is in force");
  await makeByApi(page.request, url, "access/people", { name: uniqueName("Newcomer") });
  await page.request.post(`${url}/api/v1/access/policies`, { data: { name: uniqueName("All") }, headers: { Origin: url } });
  await page.reload();
  await expect(row).toContainText("An older state");
});

test("a policy is changed on its page", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Vault");
  const person = await makeByApi(page.request, url, "access/people", { name: uniqueName("Vera") });
  const name = uniqueName("Vault");
  const policy = await makeByApi(page.request, url, "access/policies", {
    name, person_id: person.id, door_id: door.id, levels: ["guest"], valid_from: "2026-11-23T08:00:00Z",
  });
  await page.goto("/policies");
  await expectLive(page);
  await page.getByRole("link", { name: `Change ${name}` }).click();
  const form = page.locator("#edit-policy");
  await expect(form.getByLabel("Who", { exact: true })).toHaveValue("person");
  await expect(form.getByLabel("Person, when it is for one")).toHaveValue(`#${person.number} ${person.name}`);
  await expect(form.getByLabel("Doors")).toHaveValue(`door:${door.id}`);
  await expect(form.getByLabel("Valid from")).toHaveValue("2026-11-23T08:00");
  await expect(form.getByLabel("Guest")).toBeChecked();
  await expect(form.getByLabel("Basic")).not.toBeChecked();
  await form.getByLabel("Basic").check();
  await form.getByLabel("Name", { exact: true }).fill(`${name} again`);
  await form.getByRole("button", { name: "Save policy" }).click();
  await expect(page).toHaveURL(/\/policies$/);
  await expect(page.getByRole("row").filter({ hasText: `${name} again` })).toContainText("Basic, Guest");
  const kept = await (await page.request.get(`${url}/api/v1/access/policies/${policy.id}`)).json();
  expect(kept).toMatchObject({ name: `${name} again`, person_id: person.id, door_id: door.id, valid_from: policy.valid_from, is_active: true });

  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto(`/policies?edit=${policy.id}`);
  await plain.locator("#edit-policy").getByLabel("Also during a lockdown").check();
  await plain.locator("#edit-policy").getByRole("button", { name: "Save policy" }).click();
  await expect(plain.getByRole("row").filter({ hasText: `${name} again` })).toContainText("Also during a lockdown");
});

test("these pages are clean and fit a phone and a desktop, in light and dark", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const plan = await upload(page, url, uniqueName("Look"));
  const doors = [await makeDoor(page.request, url, "North"), await makeDoor(page.request, url, "South")];
  for (const [index, door] of doors.entries()) {
    const place = { plan_id: plan, x: 0.3 + index * 0.3, y: 0.4 };
    const answer = await page.request.put(`${url}/api/v1/doors/${door.id}/place`, { data: place, headers: { Origin: url } });
    expect(answer.ok(), await answer.text()).toBeTruthy();
  }
  await makeByApi(page.request, url, "door-groups", { name: uniqueName("Both"), door_ids: doors.map((door) => door.id) });
  const outer = await makeByApi(page.request, url, "zones", { name: uniqueName("Building") });
  await makeByApi(page.request, url, "zones", { name: uniqueName("Laboratory"), parent_id: outer.id, passback: "soft" });
  const pages = { plan: `/doors/plan?plan=${plan}`, areas: "/doors/areas", readers: "/doors/readers" };
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme })).newPage();
      for (const [what, path] of Object.entries(pages)) {
        await screen.goto(path);
        await expectLive(screen);
        await expectFits(screen);
        await expectClean(screen);
        await screen.screenshot({ path: `screenshots/${what}-${name}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
});
