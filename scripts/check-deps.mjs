// Enforces who may import whom (ARCHITECTURE.md) on `cargo metadata`, given on standard input:
// `cargo metadata --no-deps --format-version 1 | node scripts/check-deps.mjs`

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

// Domains from the lowest to the highest: a domain may use those before it.
const DOMAINS = ["identity", "notifications", "alarms", "devices", "access", "parking", "biometrics", "visitors", "safety", "reports"];

const allowed = { "lock-core": [], model: ["lock-core"], platform: ["model"], simulator: ["model", "lock-core"], "stripe-double": [], frontend: ["app"] };
DOMAINS.forEach((domain, i) => (allowed[domain] = ["lock-core", "model", "platform", ...DOMAINS.slice(0, i)]));
allowed.app = ["model", "platform", ...DOMAINS];
allowed.server = ["lock-core", "model", "platform", "simulator", "app", ...DOMAINS];

const ours = (name) => (name.startsWith("portico-") ? name.slice("portico-".length) : null);
const faults = [];
const { packages } = JSON.parse(readFileSync(0, "utf8"));

for (const { name, dependencies, manifest_path } of packages) {
  const from = ours(name);
  if (!(from in allowed)) {
    faults.push(`${name} has no rule: add it to scripts/check-deps.mjs and ARCHITECTURE.md`);
    continue;
  }
  for (const dependency of dependencies) {
    const to = ours(dependency.name);
    if (to === null || to === from || !dependency.path) continue;
    // Tests may play a building, and Stripe.
    const forTests = dependency.kind === "dev" && ["simulator", "stripe-double"].includes(to);
    if (!allowed[from].includes(to) && !forTests) faults.push(`${name} may not depend on ${dependency.name}`);
    if (from === "app" && to !== "model" && !dependency.optional && dependency.kind !== "dev")
      faults.push(`${name} may depend on ${dependency.name} only with the feature ssr (make it optional)`);
  }
  const lib = join(dirname(manifest_path), "src/lib.rs");
  if (DOMAINS.includes(from) && existsSync(lib) && /^\s*pub mod store\b/m.test(readFileSync(lib, "utf8")))
    faults.push(`${name} shows its store to other crates: make \`mod store\` private`);
}

for (const fault of faults) console.error(`error: ${fault}`);
if (faults.length > 0) process.exit(1);
console.error(`==> dependency rules hold for ${packages.length} crates`);
