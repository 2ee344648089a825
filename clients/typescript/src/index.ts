// A typed client for Portico's REST API. The types come from the OpenAPI document (schema.ts is generated); here is only
// what a document cannot say: how one signs in and stays signed in, and what an error is.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, paths };

/** The body of every error answer (RFC 9457), with what an operation adds to it. */
export type Problem = components["schemas"]["Problem"] & Record<string, unknown>;

/** What the server refused or could not do. */
export class PorticoError extends Error {
  readonly status: number;
  /** Stable, for programs: `device_not_found`, `rate_limited`, … */
  readonly code: string;
  readonly problem: Problem | undefined;
  /** When to try again, if the server said so. */
  readonly retryAfterSeconds: number | undefined;

  constructor(response: Response, problem: Problem | undefined) {
    super(problem?.detail ?? `${response.status} ${response.statusText}`);
    this.name = "PorticoError";
    this.status = response.status;
    this.code = problem?.code ?? "unknown";
    this.problem = problem;
    const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
    this.retryAfterSeconds = Number.isNaN(seconds) ? undefined : seconds;
  }
}

/** The answer's body; throws a PorticoError when the server answered with an error. */
export async function answer<T>(
  request: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const { data, error, response } = await request;
  if (!response.ok) {
    throw new PorticoError(response, (error || undefined) as Problem | undefined);
  }
  return data as NonNullable<T>;
}

/** How a request proves who sends it. */
interface Credentials {
  headers(): Record<string, string>;
  /** Gets new credentials after a 401; false when there are none to be had. */
  renew(): Promise<boolean>;
}

/** A connection to one server, as one caller. `api` has every operation, with its types. */
export class Portico {
  readonly api: Client<paths>;

  private constructor(url: string, credentials: Credentials) {
    this.api = createClient<paths>({
      baseUrl: url,
      fetch: async (request: Request) => {
        const again = request.clone();
        const response = await send(request, credentials);
        if (response.status !== 401 || !(await credentials.renew())) {
          return response;
        }
        return send(again, credentials);
      },
    });
  }

  /** Without credentials. */
  static anonymous(url: string): Portico {
    return new Portico(url, { headers: () => ({}), renew: async () => false });
  }

  /** As a device or a service. */
  static withKey(url: string, apiKey: string): Portico {
    return new Portico(url, { headers: () => ({ "X-API-Key": apiKey }), renew: async () => false });
  }

  /** As a person. The session is renewed unseen until it is ended or unused for too long. */
  static async signIn(url: string, login: string, password: string): Promise<Portico> {
    const { api } = Portico.anonymous(url);
    const signedIn = await answer(api.POST("/api/v1/auth/login", { body: { username: login, password } }));
    return Portico.withTokens(url, signedIn.access_token, signedIn.refresh_token);
  }

  /** As a person whose tokens were kept; each refresh token works once, and `keep` is told the next. */
  static withTokens(
    url: string,
    accessToken: string,
    refreshToken: string,
    keep: (accessToken: string, refreshToken: string) => void = () => {},
  ): Portico {
    const { api } = Portico.anonymous(url);
    let renewal: Promise<boolean> | undefined;
    const renew = async () => {
      const { data } = await api.POST("/api/v1/auth/refresh", { body: { refresh_token: refreshToken } });
      if (data === undefined) {
        return false;
      }
      accessToken = data.access_token;
      refreshToken = data.refresh_token;
      keep(accessToken, refreshToken);
      return true;
    };
    return new Portico(url, {
      headers: () => ({ Authorization: `Bearer ${accessToken}` }),
      // Requests that failed together are renewed together.
      renew: () => (renewal ??= renew().finally(() => (renewal = undefined))),
    });
  }
}

function send(request: Request, credentials: Credentials): Promise<Response> {
  for (const [name, value] of Object.entries(credentials.headers())) {
    request.headers.set(name, value);
  }
  return fetch(request);
}
