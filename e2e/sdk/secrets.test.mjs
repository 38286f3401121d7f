import test from 'node:test';
import assert from 'node:assert/strict';
import { ada, mia, eve, town, refused, isOwned } from './infsh.mjs';

const value = 'sk-sdk-0123456789abcdefWXYZ';

test('a secret is made, shown masked, changed, revealed and deleted', async () => {
  const { data: made } = await ada.secrets.create({ key: 'OPENAI_API_KEY', value, description: 'For GPT-4 API calls' });
  isOwned(made, town.ada.team_id);
  assert.equal(made.key, 'OPENAI_API_KEY');
  assert.equal(made.masked_value, '••••••••WXYZ');
  assert.equal(made.description, 'For GPT-4 API calls');
  assert.equal(made.scope, 'team');
  assert.equal(made.version, 1);
  assert.ok(!('value' in made));

  const { data: changed } = await ada.secrets.update('OPENAI_API_KEY', { value: 'sk-sdk-changed-0123456789-9876' });
  assert.equal(changed.id, made.id);
  assert.equal(changed.version, 2);
  assert.equal(changed.description, 'For GPT-4 API calls', 'what is not sent stays');

  const { data: described } = await ada.secrets.update('OPENAI_API_KEY', { description: 'Another' });
  assert.equal(described.version, 2);
  assert.equal(described.description, 'Another');

  const { data: revealed } = await ada.secrets.reveal('OPENAI_API_KEY');
  assert.equal(revealed.value, 'sk-sdk-changed-0123456789-9876');
  isOwned(revealed, town.ada.team_id);

  // Clients send a whole object back that they have changed in a field.
  const { value: _, ...whole } = revealed;
  const { data: sentBack } = await ada.secrets.update('OPENAI_API_KEY', { ...whole, description: 'Sent back' });
  assert.equal(sentBack.description, 'Sent back');
  assert.equal(sentBack.version, 2);

  assert.equal((await ada.secrets.delete('OPENAI_API_KEY')).data, undefined);
  await refused(ada.secrets.reveal('OPENAI_API_KEY'), 404, 'secret_not_found');
});

test('secrets are listed by pages, to the end and back', async () => {
  const keys = Array.from({ length: 7 }, (_, i) => `LISTED_${i}`);
  for (const key of keys) await ada.secrets.create({ key, value, description: `number ${Number(key.at(-1)) % 3}` });

  const { data: all } = await ada.secrets.list();
  assert.deepEqual(all.items.map((s) => s.key), keys);
  assert.equal(all.total_items, 7);
  assert.equal(all.has_next, false);
  assert.equal(all.has_previous, false);
  for (const secret of all.items) {
    isOwned(secret, town.ada.team_id);
    assert.ok(!('value' in secret));
  }

  const pages = [];
  let page = (await ada.secrets.list({ limit: 3 })).data;
  for (;;) {
    assert.equal(page.items_per_page, 3);
    assert.equal(page.total_items, 7);
    pages.push(page.items.map((s) => s.key));
    if (!page.has_next) break;
    page = (await ada.secrets.list({ limit: 3, cursor: page.next_cursor })).data;
  }
  assert.deepEqual(pages, [keys.slice(0, 3), keys.slice(3, 6), keys.slice(6)]);
  const back = [];
  while (page.has_previous) {
    page = (await ada.secrets.list({ limit: 3, cursor: page.prev_cursor })).data;
    back.unshift(page.items.map((s) => s.key));
  }
  assert.deepEqual(back, pages.slice(0, 2));

  // The whole of the SDK's type.
  const { data: sorted } = await ada.secrets.list({
    cursor: '', limit: 5, direction: '', preloads: [], fields: [], permissions: [], include_others: false,
    search: { term: 'NUMBER', exact: false },
    filters: [{ field: 'description', operator: 'neq', value: 'number 1' }],
    sort: [{ field: 'description', dir: 'desc' }, { field: 'key', dir: 'asc' }],
  });
  assert.deepEqual(sorted.items.map((s) => s.key), ['LISTED_2', 'LISTED_5', 'LISTED_0', 'LISTED_3', 'LISTED_6']);
  assert.equal(sorted.total_items, 5);

  const { data: exact } = await ada.secrets.list({ search: { term: 'LISTED_4', exact: true } });
  assert.deepEqual(exact.items.map((s) => s.key), ['LISTED_4']);

  const problem = await refused(ada.secrets.list({ sort: [{ field: 'colour', dir: 'asc' }] }), 400, 'invalid_field');
  assert.equal(problem.errors[0].field, 'sort[0].field');
  await refused(ada.secrets.list({ limit: 201 }), 400);
  await refused(ada.apps.list({ cursor: (await ada.secrets.list({ limit: 3 })).data.next_cursor }), 400);
});

test('what is refused is an error of the SDK, with the reason in it', async () => {
  await refused(ada.secrets.create({ key: 'LISTED_0', value }), 409, 'conflict');
  const problem = await refused(ada.secrets.create({ key: 'not a name', value }), 400, 'invalid_field');
  assert.equal(problem.errors[0].field, 'key');
  await refused(ada.secrets.create({ key: 'NEW_KEY', value, colour: 'blue' }), 400);
  await refused(ada.secrets.update('MISSING', { value }), 404, 'secret_not_found');
  await refused(mia.secrets.create({ key: 'NEW_KEY', value }), 403, 'team_role_required');
  await refused(mia.secrets.reveal('LISTED_0'), 403, 'team_role_required');
  assert.equal((await mia.secrets.list()).data.total_items, 7, 'a member sees the list');
  await refused(eve.secrets.reveal('LISTED_0'), 404, 'secret_not_found');
  assert.equal((await eve.secrets.list()).data.total_items, 0, 'another team sees nothing');
  for (let i = 0; i < 7; i++) await ada.secrets.delete(`LISTED_${i}`);
});
