import test from 'node:test';
import assert from 'node:assert/strict';
import { ada, client, town, refused, isOwned } from './infsh.mjs';

test('an API key is shown once, does what its scopes say, and ends at once', async () => {
  const { data: made } = await ada.apiKeys.create({ name: 'reader', scopes: ['secrets:read'] });
  isOwned(made, town.ada.team_id);
  assert.match(made.key, /^infsh_\w{20,}$/);
  assert.deepEqual(made.scopes, ['secrets:read']);

  const { data: list } = await ada.apiKeys.list({ search: { term: 'reader', exact: true } });
  assert.equal(list.total_items, 1);
  const [shown] = list.items;
  isOwned(shown, town.ada.team_id);
  assert.equal(shown.id, made.id);
  assert.ok(!shown.key.includes(made.key.slice(6, 20)), 'a list shows the key masked');

  const reader = client(made.key);
  assert.equal((await reader.secrets.list()).data.total_items, 0);
  await refused(reader.secrets.create({ key: 'NEW_KEY', value: 'sk-0123456789' }), 403, 'scope_required');
  await refused(reader.apps.list(), 403, 'scope_required');

  assert.equal((await ada.apiKeys.delete(made.id)).data, undefined);
  await refused(reader.secrets.list(), 401, 'not_signed_in');
  await refused(ada.apiKeys.create({ name: 'x', scopes: ['no:such'] }), 400, 'invalid_field');
});

test('what is not a key is not let in', async () => {
  await refused(client('infsh_guessed').teams.me(), 401, 'not_signed_in');
});
