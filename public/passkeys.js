// Passkeys (WebAuthn). A form that wants one has hidden fields `challenge_token` and `credential`, the latter with
// `data-passkey` ("get" or "create") and `data-begin` (where the ceremony begins). Sending the form first asks the
// authenticator, then goes on as it would have: with or without the rest of the app alive.

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

// A passkey belongs to a host name: where this page has only a number for an address, there are none.
if (window.PublicKeyCredential && !/^[\d.]+$|:/.test(location.hostname.replace(/^\[|\]$/g, "")))
  document.documentElement.dataset.passkeys = "";

const known = (descriptors) => descriptors?.map((descriptor) => ({ ...descriptor, id: toBytes(descriptor.id) }));

async function create(options) {
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    user: { ...options.user, id: toBytes(options.user.id) },
    excludeCredentials: known(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  return {
    id: made.id,
    rawId: toText(made.rawId),
    type: made.type,
    extensions: {},
    response: {
      attestationObject: toText(made.response.attestationObject),
      clientDataJSON: toText(made.response.clientDataJSON),
      transports: made.response.getTransports?.() ?? [],
    },
  };
}

async function get(options) {
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    allowCredentials: known(options.allowCredentials),
  };
  const proof = await navigator.credentials.get({ publicKey });
  return {
    id: proof.id,
    rawId: toText(proof.rawId),
    type: proof.type,
    extensions: {},
    response: {
      authenticatorData: toText(proof.response.authenticatorData),
      clientDataJSON: toText(proof.response.clientDataJSON),
      signature: toText(proof.response.signature),
      userHandle: proof.response.userHandle ? toText(proof.response.userHandle) : null,
    },
  };
}

async function begin(address) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: "",
  });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (body.code === "step_up_required") {
    location.assign(`/step-up?next=${encodeURIComponent(location.pathname + location.search)}`);
    return null;
  }
  throw new Error(body.message ?? body.detail ?? "The server cannot be reached. Check the connection and try again.");
}

// What the browser says is for developers; people get told what to do.
function explain(error) {
  if (error.name === "NotAllowedError") return "No passkey was given. Try again, or sign in another way.";
  if (error.name === "InvalidStateError") return "This device has a passkey for this account already.";
  if (error.name === "SecurityError") return "Passkeys work only at the address that Portico is configured with.";
  return error.message;
}

document.addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    const field = form.querySelector?.("input[data-passkey]");
    if (!field || field.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const complaint = form.querySelector("[data-passkey-complaint]");
    if (complaint) complaint.textContent = "";
    try {
      const ceremony = await begin(field.dataset.begin);
      if (!ceremony) return;
      const answer = await (field.dataset.passkey === "create" ? create : get)(ceremony.public_key);
      form.elements.challenge_token.value = ceremony.challenge_token;
      field.value = JSON.stringify(answer);
      form.requestSubmit();
      // Each answer is good once.
      setTimeout(() => (field.value = ""));
    } catch (error) {
      if (complaint) complaint.textContent = explain(error);
    }
  },
  true,
);
