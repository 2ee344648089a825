// What people tell devices: commands, wanted state, firmware. The device of these tests speaks HTTP.

import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type { APIRequestContext, Page } from "@playwright/test";
import { registerByApi, uniqueName, type Registered } from "../support/devices";
import { expectClean } from "../support/look";
import { expect, expectLive, test } from "../support/test";

interface Told {
  id: string;
  name: string;
  args: Record<string, unknown>;
}

/** Asks for commands as a device does, until there is one. */
async function told(request: APIRequestContext, url: string, device: Registered): Promise<Told> {
  let commands: Told[] = [];
  await expect(async () => {
    const answer = await request.get(`${url}/api/v1/devices/commands`, { headers: { "X-API-Key": device.apiKey } });
    commands = await answer.json();
    expect(commands.length).toBe(1);
  }).toPass();
  return commands[0];
}

async function asDevice(request: APIRequestContext, url: string, device: Registered, method: string, path: string, data?: unknown): Promise<void> {
  const answer = await request.fetch(`${url}/api/v1/devices/${path}`, { method, data, headers: { "X-API-Key": device.apiKey } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
}

test("a command waits for its device, is withdrawn or done, and a second screen sees it", async ({ page, openContext, house, request, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Valve"), device_type: "valve" });
  const other = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await other.goto(`/devices/${device.id}`);
  await expectLive(other);
  await page.goto(`/devices/${device.id}`);
  await expectLive(page);

  await page.getByText("Send command", { exact: true }).first().click();
  const form = page.locator("#send-command");
  await form.getByLabel("Command", { exact: true }).fill("open");
  await form.getByLabel("Arguments").fill("not json");
  await form.getByRole("button", { name: "Send command" }).click();
  await expect(form.getByText("Give JSON")).toBeVisible();
  await form.getByLabel("Arguments").fill('{"percent": 40}');
  await form.getByRole("button", { name: "Send command" }).click();
  const entry = page.locator(".command").filter({ hasText: '{"percent":40}' });
  await expect(entry).toContainText("Waiting");
  await expect(other.locator(".command")).toContainText("Waiting");
  await entry.getByRole("button", { name: "Withdraw" }).click();
  await expect(entry).toContainText("Withdrawn");

  await page.getByText("Send command", { exact: true }).first().click();
  await form.getByLabel("Arguments").fill("");
  await form.getByLabel("Command", { exact: true }).fill("close");
  await form.getByRole("button", { name: "Send command" }).click();
  const command = await told(request, url, device);
  expect(command.name).toBe("close");
  await asDevice(request, url, device, "POST", `commands/${command.id}/ack`, { result: "failed", error: "something is in the way" });
  for (const screen of [page, other]) {
    const done = screen.locator(".command").filter({ hasText: "close" });
    await expect(done).toContainText("Failed");
    await expect(done).toContainText("something is in the way");
  }
});

test("wanted state shows what is missing until the device reports it", async ({ page, house, request }) => {
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Lamp"), device_type: "lamp" });
  await page.goto(`/devices/${device.id}`);
  await expectLive(page);
  await expect(page.getByText("Nothing is wanted of this device.")).toBeVisible();
  await page.getByText("Change", { exact: true }).click();
  const form = page.locator("#set-desired");
  await form.getByLabel("Wanted state").fill('{"on": true, "level": 3}');
  await form.getByRole("button", { name: "Save wanted state" }).click();
  await expect(page.getByText("Not there yet")).toBeVisible();
  await asDevice(request, url, device, "PATCH", "shadow", { on: true });
  await expect(page.getByLabel("Missing")).toContainText('"level": 3');
  await expect(page.getByLabel("Missing")).not.toContainText('"on"');
  await asDevice(request, url, device, "PATCH", "shadow", { level: 3 });
  await expect(page.getByText("As wanted")).toBeVisible();
  await expectClean(page);
});

test("an image is signed, uploaded and rolled out, and the page follows", async ({ page, house, request, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const type = uniqueName("reader").replace(" ", "_");
  const device = await registerByApi(page.request, url, { name: uniqueName("Reader"), device_type: type, firmware_version: "1.0.0" });
  const publisher = generateKeyPairSync("ed25519");
  const publicKey = publisher.publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  const image = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251));
  const text = `portico firmware 1\ntype: ${type}\nversion: 2.0.0\nsize: ${image.length}\nsha256: ${createHash("sha256").update(image).digest("hex")}\n`;
  const signature = sign(null, Buffer.from(text), publisher.privateKey).toString("hex");

  await page.goto("/firmware");
  await expectLive(page);
  await page.getByText("Trust a key", { exact: true }).click();
  const trust = page.locator("#add-publisher-key");
  await trust.getByLabel("Name").fill("Build server");
  await trust.getByLabel("Public key").fill(publicKey);
  await trust.getByRole("button", { name: "Trust key" }).click();
  await expect(page.locator(".publisher-key").filter({ hasText: publicKey })).toBeVisible();

  const upload = page.locator("#upload-firmware");
  await upload.getByLabel("For devices of type").fill(type);
  await upload.getByLabel("Version").fill("2.0.0");
  await upload.getByLabel("Image").setInputFiles({ name: "image.bin", mimeType: "application/octet-stream", buffer: image });
  await upload.getByLabel("Signature").fill("00".repeat(64));
  await upload.getByRole("button", { name: "Upload image" }).click();
  await expect(upload.getByRole("alert")).toContainText("not that of a trusted publisher");
  await upload.getByLabel("Signature").fill(signature);
  await upload.getByRole("button", { name: "Upload image" }).click();
  const row = page.getByRole("row").filter({ hasText: type });
  await expect(row).toContainText("49 KiB");

  await asDevice(request, url, device, "POST", "heartbeat");
  await row.getByRole("link", { name: "2.0.0" }).click();
  await expect(page.getByRole("heading", { name: `${type} 2.0.0` })).toBeVisible();
  await expectClean(page);
  await page.locator("#start-rollout").getByRole("button", { name: "Begin roll-out" }).click();
  await expect(page).toHaveURL(/\/firmware\/rollouts\//);
  await expectLive(page);
  const update = page.locator(".update").filter({ hasText: device.name });
  const command = await told(request, url, device);
  await expect(update).toContainText("Told");
  await asDevice(request, url, device, "POST", `commands/${command.id}/ack`, { result: "received" });
  const download = await request.get(`${url}${command.args.url}`, { headers: { "X-API-Key": device.apiKey, Range: "bytes=100-" } });
  expect(download.status()).toBe(206);
  expect((await download.body()).equals(image.subarray(100))).toBeTruthy();
  await asDevice(request, url, device, "POST", `commands/${command.id}/ack`, { result: "ok" });
  await expect(update).toContainText("Installing");
  await asDevice(request, url, device, "PUT", "config", { status: "active", firmware_version: "2.0.0" });
  await expect(update).toContainText("Installed");
  await expect(page.locator(".title-line")).toContainText("Finished");
  await expectClean(page);
  await page.goto("/firmware");
  await expect(page.locator(".rollout")).toContainText("1 of 1 installed");
  await expectClean(page);
});
