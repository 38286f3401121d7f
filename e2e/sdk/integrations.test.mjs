import test from 'node:test';
import assert from 'node:assert/strict';
import { ada, refused } from './infsh.mjs';

test('integrations are asked for and not there yet', async () => {
  const { data: list } = await ada.integrations.list({ limit: 10 });
  assert.deepEqual([list.items, list.total_items, list.has_next], [[], 0, false]);
  for (const answer of [await ada.integrations.listAvailable(), await ada.integrations.getConfigs(), await ada.integrations.getCapabilities()]) {
    assert.deepEqual(answer.data, []);
  }
  await refused(ada.integrations.connect({ provider: 'google', type: 'oauth', scopes: ['sheets'] }), 501, 'not_implemented');
  await refused(ada.integrations.get('google'), 404, 'not_found');
  await refused(ada.integrations.disconnect('google'), 404, 'not_found');
});

test('requirements are checked before anything runs', async () => {
  await ada.secrets.create({ key: 'OPENAI_API_KEY', value: 'sk-0123456789abcdef' });
  const { data: satisfied } = await ada.integrations.checkRequirements({ secrets: [{ key: 'OPENAI_API_KEY' }] });
  assert.deepEqual([satisfied.satisfied, satisfied.errors], [true, []]);
  const { data: unmet } = await ada.integrations.checkRequirements({
    secrets: [{ key: 'FAL_KEY', description: 'For images' }, { key: 'SENTRY_DSN', optional: true }],
    integrations: [{ key: 'google.sheets' }],
  });
  assert.equal(unmet.satisfied, false);
  assert.deepEqual(unmet.errors.map((e) => [e.type, e.key, e.action.type]), [['secret', 'FAL_KEY', 'add_secret'], ['integration', 'google.sheets', 'connect']]);
  assert.ok(unmet.errors[0].action.url.includes('/settings/secrets?add=FAL_KEY'));
  await ada.secrets.delete('OPENAI_API_KEY');
});
