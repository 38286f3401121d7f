import test from 'node:test';
import assert from 'node:assert/strict';
import { ada, mia, eve, town, refused, isObject } from './infsh.mjs';

test('a client knows whose it is', async () => {
  const { data: me } = await ada.teams.me();
  isObject(me.user);
  isObject(me.team);
  assert.equal(me.user.email, town.ada.email);
  assert.equal(me.team.username, 'acme');
  assert.equal(me.team.id, town.ada.team_id);
});

test('a team is made, and seen by its own people alone', async () => {
  const { data: made } = await eve.teams.create({ username: 'gamma', name: 'Gamma', email: 'eve@example.com' });
  isObject(made);
  assert.equal(made.username, 'gamma');
  assert.equal(made.type, 'team');
  const { data: teams } = await eve.teams.list();
  assert.deepEqual(teams.map((team) => team.username), ['beta'], 'a key is of one team, and lists no other');
  const { data: taken } = await ada.teams.checkUsername('gamma');
  assert.deepEqual([taken.value, taken.available, taken.reason], ['gamma', false, 'taken']);
  const { data: free } = await ada.teams.checkUsername('delta');
  assert.deepEqual([free.value, free.available], ['delta', true]);

  await refused(ada.teams.get(made.id), 404);
  await refused(ada.teams.delete(made.id), 404);
});

test('a key acts in its own team, which its owner may rename', async () => {
  const { data: team } = await ada.teams.get(town.ada.team_id);
  assert.equal(team.username, 'acme');
  const { data: renamed } = await ada.teams.update(town.ada.team_id, { name: 'Acme & Sons' });
  assert.equal(renamed.name, 'Acme & Sons');
  await refused(mia.teams.update(town.ada.team_id, { name: 'Mine' }), 403, 'team_role_required');
});

test('members come, get another role and go', async () => {
  const { data: members } = await ada.teams.getMembers(town.ada.team_id);
  const member = members.find((m) => m.user.email === town.mia.email);
  assert.equal(member.role, 'member');
  assert.equal(member.team_id, town.ada.team_id);

  const { data: added } = await ada.teams.addMember(town.ada.team_id, { email: town.eve.email, role: 'member' });
  assert.equal(added.user.email, town.eve.email);
  const { data: changed } = await ada.teams.updateMemberRole(town.ada.team_id, added.user_id, 'admin');
  assert.equal(changed.role, 'admin');
  await refused(mia.teams.removeMember(town.ada.team_id, added.user_id), 403, 'team_role_required');
  assert.equal((await ada.teams.removeMember(town.ada.team_id, added.user_id)).data, undefined);
  await refused(ada.teams.removeMember(town.ada.team_id, added.user_id), 404);
});

test('someone is invited, and the invite revoked', async () => {
  const { data: invite } = await ada.teams.createInvite(town.ada.team_id, { email: 'new@example.com', role: 'member' });
  isObject(invite);
  assert.deepEqual([invite.email, invite.role, invite.status], ['new@example.com', 'member', 'pending']);
  const { data: invites } = await ada.teams.listInvites(town.ada.team_id);
  assert.deepEqual(invites.map((i) => i.id), [invite.id]);
  assert.ok(!JSON.stringify(invites).includes(new URL(invite.link).hash || 'code='), 'the link is shown once');
  await ada.teams.revokeInvite(town.ada.team_id, invite.id);
  assert.equal((await ada.teams.listInvites(town.ada.team_id)).data.length, 0);
});

test('a team is deleted, and the keys of it with it', async () => {
  // Nobody may delete their only team; eve has made another above.
  await refused(ada.teams.delete(town.ada.team_id), 409);
  await refused(mia.teams.delete(town.ada.team_id), 403, 'team_role_required');
  assert.equal((await eve.teams.delete(town.eve.team_id)).data, undefined);
  await refused(eve.teams.me(), 401, 'not_signed_in');
});
