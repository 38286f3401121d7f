import test from 'node:test';
import assert from 'node:assert/strict';
import { ada, mia, eve, client, town, sdk, refused, isOwned } from './infsh.mjs';

const requires = (...keys) => ({ required_secrets: keys.map((key) => ({ key, description: `For ${key}` })), required_integrations: [] });

test('an app is registered, in versions that never change', async () => {
  const { data: app } = await ada.apps.create({ name: 'summarizer', description: 'Shortens', version: requires('OPENAI_API_KEY') });
  isOwned(app, town.ada.team_id);
  assert.deepEqual([app.namespace, app.name, app.version_id], ['acme', 'summarizer', app.version.id]);
  assert.deepEqual(app.version.required_secrets, [{ key: 'OPENAI_API_KEY', description: 'For OPENAI_API_KEY', optional: false }]);

  const { data: next } = await ada.apps.create({ name: 'summarizer', version: { ...requires('OPENAI_API_KEY', 'FAL_KEY'), metadata: {}, kernel: 'python' } });
  assert.equal(next.id, app.id);
  assert.notEqual(next.version_id, app.version_id);

  for (const found of [(await mia.apps.get(app.id)).data, (await mia.apps.getByName('acme/summarizer')).data]) {
    assert.equal(found.id, app.id);
    assert.equal(found.version_id, next.version_id);
  }
  const { data: old } = await ada.apps.getByVersionId(app.id, app.version_id);
  assert.deepEqual(old.version.required_secrets.map((s) => s.key), ['OPENAI_API_KEY']);

  const { data: list } = await ada.apps.list({ search: { term: 'SUMM', exact: false } });
  assert.deepEqual(list.items.map((a) => a.id), [app.id]);

  const first = (await ada.apps.listVersions(app.id, { limit: 1 })).data;
  const second = (await ada.apps.listVersions(app.id, { limit: 1, cursor: first.next_cursor })).data;
  assert.deepEqual([...first.items, ...second.items].map((v) => v.id), [next.version_id, app.version_id], 'the newest first');
  assert.equal(first.total_items, 2);
  assert.equal(second.has_next, false);
  const back = (await ada.apps.listVersions(app.id, { limit: 1, cursor: second.prev_cursor })).data;
  assert.deepEqual(back.items, first.items);

  const { data: moved } = await ada.apps.setCurrentVersion(app.id, app.version_id);
  assert.equal(moved.version_id, app.version_id);
  assert.equal((await ada.apps.get(app.id)).data.version_id, app.version_id);

  // A whole app is sent back, as clients do.
  const { data: changed } = await ada.apps.update(app.id, { ...moved, description: 'Shortens texts' });
  assert.equal(changed.description, 'Shortens texts');
  assert.equal(changed.version_id, app.version_id);
  await refused(ada.apps.update(app.id, { name: 'another' }), 400, 'invalid_field');

  await refused(eve.apps.get(app.id), 404, 'not_found');
  await refused(eve.apps.setCurrentVersion(app.id, app.version_id), 404, 'not_found');
  await refused(ada.apps.getByVersionId(app.id, 'no-such-version'), 404, 'not_found');
});

test('a run without its secrets is refused as the SDK knows it', async () => {
  const runner = client((await ada.apiKeys.create({ name: 'runner', scopes: ['apps:execute'] })).data.key, '/internal/v1');
  const unmet = async (call) => {
    const error = await call.then(() => assert.fail('it was not refused'), (e) => e);
    assert.ok(error instanceof sdk.RequirementsNotMetException, `${error}`);
    assert.ok(sdk.isRequirementsNotMetException(error));
    assert.equal(error.statusCode, 412);
    assert.deepEqual(error.errors.map((e) => [e.type, e.key]), [['secret', 'OPENAI_API_KEY']]);
    assert.equal(error.message, error.errors[0].message);
    return error.errors[0].action;
  };
  const action = await unmet(ada.run({ app: 'acme/summarizer', input: { text: 'long' } }));
  assert.equal(action.type, 'add_secret');
  assert.ok(action.url.includes('/settings/secrets?add=OPENAI_API_KEY'));
  await unmet(runner._request('post', '/resolve', { data: { app: 'acme/summarizer' } }));

  await ada.secrets.create({ key: 'OPENAI_API_KEY', value: 'sk-sdk-0123456789abcdef' });
  const { data: resolved } = await runner._request('post', '/resolve', { data: { app: 'acme/summarizer', run_id: 'run-1' } });
  assert.deepEqual(resolved.env, { OPENAI_API_KEY: 'sk-sdk-0123456789abcdef' });
  assert.deepEqual(resolved.secrets, [{ key: 'OPENAI_API_KEY', version: 1 }]);

  // Runs themselves are not this server's.
  await refused(ada.run({ app: 'acme/summarizer', input: {} }), 501, 'not_implemented');
  await refused(ada.run({ app: 'acme/no-such-app', input: {} }), 404, 'not_found');
  await refused(eve.run({ app: 'acme/summarizer', input: {} }), 404, 'not_found');
});

test('what this server does not do is said, and an app is deleted', async () => {
  const { data: app } = await ada.apps.getByName('acme/summarizer');
  for (const call of [
    () => ada.apps.duplicate(app.id),
    () => ada.apps.transferOwnership(app.id, town.eve.team_id),
    () => ada.apps.updateVisibility(app.id, 'public'),
    () => ada.apps.updateStatus(app.id, 'maintenance'),
    () => ada.apps.saveLicense(app.id, 'MIT'),
  ]) {
    await refused(call(), 501, 'not_implemented');
  }
  await refused(ada.apps.getLicense(app.id), 404, 'not_found');
  await refused(mia.apps.delete(app.id), 403, 'team_role_required');
  await refused(eve.apps.delete(app.id), 404, 'not_found');
  assert.equal((await ada.apps.delete(app.id)).data, undefined);
  await refused(ada.apps.get(app.id), 404, 'not_found');
  await refused(ada.agents.create({ core_app: { ref: 'x' } }).sendMessage('hi'), 404, 'not_found');
});
