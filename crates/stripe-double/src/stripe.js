// A tiny Stripe.js (https://docs.stripe.com/js) for tests: a card number that is typed into this page and sent to the double.
// The real one shows its form in a frame of its own, so that card numbers never touch the page.
(() => {
  'use strict';

  const script = document.currentScript;
  const origin = script && script.src ? new URL(script.src).origin : '__ORIGIN__';

  async function ask(path, fields) {
    try {
      const body = new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== undefined));
      const answer = await fetch(origin + path, { method: 'POST', body, credentials: 'omit' });
      return await answer.json();
    } catch {
      return { error: { type: 'api_connection_error', message: 'We are experiencing issues connecting to our payments provider.' } };
    }
  }

  function make(tag, properties, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  class PaymentElement {
    #listeners = new Map();

    constructor() {
      this.input = make('input', {
        type: 'text', name: 'number', inputMode: 'numeric', autocomplete: 'cc-number',
        placeholder: '1234 1234 1234 1234', className: 'stripe-double-number',
      });
      this.input.style.minHeight = '44px';
      this.input.addEventListener('input', () => this.#emit('change', {
        elementType: 'payment', empty: this.input.value === '', complete: this.number().length >= 12, value: { type: 'card' },
      }));
      this.node = make('div', { className: 'stripe-double' }, make('label', {}, 'Card number ', this.input));
    }

    mount(target) {
      const host = typeof target === 'string' ? document.querySelector(target) : target;
      if (!host) {
        throw new Error('IntegrationError: The selector you specified applies to no DOM elements that are currently on the page.');
      }
      host.replaceChildren(this.node);
      setTimeout(() => this.#emit('ready', { elementType: 'payment' }));
      return this;
    }

    unmount() { this.node.remove(); return this; }

    destroy() { this.unmount(); this.#listeners.clear(); return this; }

    focus() { this.input.focus(); return this; }

    update() { return this; }

    on(event, listener) {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
      return this;
    }

    off(event, listener) {
      this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((known) => known !== listener));
      return this;
    }

    number() { return this.input.value.replace(/\s/g, ''); }

    // What the payer's bank would ask in a window of its own: resolves with 'complete' or 'fail'.
    authenticate() {
      return new Promise((resolve) => {
        const button = (text, outcome) => make('button', {
          type: 'button', textContent: text, onclick: () => { dialog.remove(); resolve(outcome); },
        });
        const dialog = make('div', { className: 'stripe-double-bank', role: 'group', ariaLabel: '3D Secure' },
          button('Complete authentication', 'complete'), button('Fail authentication', 'fail'));
        this.node.append(dialog);
      });
    }

    #emit(event, detail) {
      for (const listener of this.#listeners.get(event) ?? []) listener(detail);
    }
  }

  class Elements {
    #made = new Map();

    constructor(options) {
      this.clientSecret = options?.clientSecret;
      this.update(options);
    }

    create(type) {
      if (type !== 'payment') throw new Error(`The double has no "${type}" element.`);
      if (this.#made.has(type)) throw new Error(`IntegrationError: Can only create one Element of type ${type}.`);
      const element = new PaymentElement();
      this.#made.set(type, element);
      return element;
    }

    getElement(type) { return this.#made.get(type) ?? null; }

    async submit() {
      const element = this.getElement('payment');
      if (element && element.number().length >= 12) return { selectedPaymentMethod: 'card' };
      return { error: { type: 'validation_error', code: 'incomplete_number', message: 'Your card number is incomplete.' } };
    }

    async fetchUpdates() { return {}; }

    // Stripe takes no colours but these (https://docs.stripe.com/elements/appearance-api#commonly-used-variables).
    update(options) {
      for (const [name, value] of Object.entries(options?.appearance?.variables ?? {})) {
        if (name.startsWith('color') && !/^(#[0-9a-f]{3,8}|(rgb|hsl)a?\([\d\s.,%]+\))$/i.test(value)) {
          throw new Error(`IntegrationError: ${name} is no colour: ${value}`);
        }
      }
    }
  }

  function Stripe(key) {
    if (typeof key !== 'string' || key === '') throw new Error('IntegrationError: Missing value for Stripe(): apiKey should be a string.');

    async function finish(answer, element, clientSecret) {
      if (answer.paymentIntent?.status !== 'requires_action' || !element) return answer;
      const outcome = await element.authenticate();
      return ask('/v3/authenticate', { key, client_secret: clientSecret, outcome });
    }

    return {
      elements(options) { return new Elements(options); },

      async confirmPayment({ elements, clientSecret, confirmParams, redirect } = {}) {
        const element = elements?.getElement('payment');
        const secret = clientSecret ?? elements?.clientSecret;
        if (!element) throw new Error('IntegrationError: Please ensure that the Payment Element is still mounted.');
        const returnUrl = confirmParams?.return_url;
        if (redirect !== 'if_required' && !returnUrl) {
          throw new Error('IntegrationError: You must provide `confirmParams.return_url` unless `redirect` is "if_required".');
        }
        const fields = { key, client_secret: secret, number: element.number(), return_url: returnUrl };
        const first = await ask('/v3/confirm', fields);
        // The bank asks on a page of its own, and leads back to ours.
        const elsewhere = first.paymentIntent?.next_action?.redirect_to_url?.url;
        if (elsewhere) {
          location.assign(elsewhere);
          return new Promise(() => {});
        }
        const answer = await finish(first, element, secret);
        if (answer.error || redirect === 'if_required') return answer;
        const url = new URL(returnUrl, location.href);
        url.searchParams.set('payment_intent', answer.paymentIntent.id);
        url.searchParams.set('payment_intent_client_secret', secret);
        url.searchParams.set('redirect_status', answer.paymentIntent.status === 'succeeded' ? 'succeeded' : 'pending');
        location.assign(url);
        return new Promise(() => {});
      },

      async retrievePaymentIntent(clientSecret) {
        return ask('/v3/retrieve', { key, client_secret: clientSecret });
      },
    };
  }

  Stripe.version = 3;
  window.Stripe = Stripe;
})();
