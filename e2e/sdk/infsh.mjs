// The official SDK, pointed at an infsh: `baseUrl` is the only difference.
import { register } from 'node:module';
import assert from 'node:assert/strict';

register('./loader.mjs', import.meta.url);
export const sdk = await import('@inferencesh/sdk');

/** The server and its people, as ../sdk_test.go made them. */
export const town = JSON.parse(process.env.INFSH_TOWN);

/** A client that acts as the holder of an API key. */
export function client(apiKey, path = '/api') {
  return sdk.inference({ apiKey, baseUrl: town.url + path });
}

/** The owner of the team acme, a member of it, and the owner of another team. */
export const ada = client(town.ada.api_key);
export const mia = client(town.mia.api_key);
export const eve = client(town.eve.api_key);

/** Fails unless the call is refused with an error of the SDK's own class. */
export async function refused(call, status, title) {
  const error = await call.then(
    () => assert.fail(`it was not refused, and should have been with ${status}`),
    (error) => error,
  );
  assert.ok(sdk.isInferenceError(error), `not an error of the SDK: ${error}`);
  assert.equal(error.statusCode, status, error.message);
  const problem = JSON.parse(error.responseBody);
  assert.equal(problem.status, status);
  if (title) assert.equal(problem.title, title);
  assert.equal(error.message, `HTTP ${status}: ${problem.detail}`);
  return problem;
}

/** Fails unless an object has what every object has; owned ones have more. */
export function isObject(object) {
  assert.match(object.id, /^[0-9a-f-]{36}$/);
  assert.ok(object.id.endsWith(object.short_id) && object.short_id.length >= 4);
  for (const at of [object.created_at, object.updated_at]) {
    assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  }
}

export function isOwned(object, teamId) {
  isObject(object);
  assert.equal(object.team_id, teamId);
  assert.equal(object.visibility, 'private');
  assert.match(object.user_id, /^[0-9a-f-]{36}$/);
}
