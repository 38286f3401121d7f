import test from 'node:test';
import assert from 'node:assert/strict';
import { ada, eve, isOwned, mia, refused, town } from './infsh.mjs';

test('what can be connected, and what apps may declare, is listed before anything is', async () => {
  const { data: list } = await ada.integrations.list({ limit: 10 });
  assert.deepEqual([list.items, list.total_items, list.has_next], [[], 0, false]);
  for (const answer of [await ada.integrations.listAvailable(), await ada.integrations.getConfigs()]) {
    const google = answer.data.find((c) => c.provider === 'google' && c.type === 'oauth');
    assert.equal(google.available, false, 'the team has no client at Google yet');
    assert.ok(google.redirect_url.startsWith(town.url));
    assert.ok(answer.data.some((c) => c.provider === 'discord'));
  }
  const { data: capabilities } = await ada.integrations.getCapabilities();
  const sheets = capabilities.find((c) => c.key === 'google.sheets');
  assert.deepEqual(sheets.scopes, ['https://www.googleapis.com/auth/spreadsheets']);
});

test('an account is connected, found, and disconnected', async () => {
  const key = { provider: 'test', type: 'service_account', metadata: { service_account_key: town.service_account_key, project_number: '42' } };
  await refused(ada.integrations.get('test'), 404, 'not_found');
  await refused(ada.integrations.connect({ ...key, metadata: { service_account_key: '{}', project_number: '42' } }), 400);
  await refused(mia.integrations.connect(key), 403);
  const { data: connected } = await ada.integrations.connect(key);
  isOwned(connected.integration, town.ada.team_id);

  const { data: found } = await ada.integrations.get('test');
  assert.deepEqual([found.id, found.provider, found.type, found.status, found.is_primary], [connected.integration.id, 'test', 'service_account', 'connected', true]);
  const { data: list } = await ada.integrations.list({});
  assert.deepEqual(list.items.map((i) => i.id), [found.id]);
  for (const told of [connected, found, list]) {
    assert.ok(!JSON.stringify(told).includes('PRIVATE KEY'), 'the key is told again');
  }
  await refused(eve.integrations.get('test'), 404, 'not_found');
  assert.deepEqual((await eve.integrations.list({})).data.items, []);

  const { data: satisfied } = await ada.integrations.checkRequirements({ integrations: [{ key: 'test.cloud' }] });
  assert.deepEqual([satisfied.satisfied, satisfied.errors], [true, []]);
  await refused(mia.integrations.disconnect('test'), 403);
  await ada.integrations.disconnect('test');
  await refused(ada.integrations.disconnect('test'), 404, 'not_found');
});

test('what OAuth needs is said before a person is sent away', async () => {
  const problem = await refused(ada.integrations.connect({ provider: 'google', type: 'oauth', scopes: [] }), 412);
  assert.match(problem.detail, /client/);
  await refused(ada.integrations.connect({ provider: 'nobody', type: 'oauth' }), 404, 'not_found');
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
  assert.deepEqual(unmet.errors.map((e) => [e.type, e.key, e.action.type, e.action.provider]), [['secret', 'FAL_KEY', 'add_secret', undefined], ['integration', 'google.sheets', 'connect', 'google']]);
  assert.ok(unmet.errors[0].action.url.includes('/settings/secrets?add=FAL_KEY'));
  assert.ok(unmet.errors[1].action.url.includes('/settings/integrations/google?need=google.sheets'));
  await ada.secrets.delete('OPENAI_API_KEY');
});
