import test from 'node:test';
import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { town } from './infsh.mjs';

// The package has the OpenAPI Initiative's own schema of each version, and
// follows each $ref.
const valid = (description) => new Validator().validate(description);

test('the description that the server publishes is an OpenAPI 3.1 document', async () => {
  const answer = await fetch(town.url + '/api/openapi.json');
  assert.equal(answer.status, 200);
  const description = await answer.json();
  assert.match(description.openapi, /^3\.1\.\d+$/);
  const { valid: isValid, errors } = await valid(description);
  assert.ok(isValid, JSON.stringify(errors, null, 2));
});

test('and a wrong one would be refused', async () => {
  const description = await (await fetch(town.url + '/api/openapi.json')).json();
  for (const [what, spoil] of Object.entries({
    'no title': (d) => delete d.info.title,
    'a parameter that is nowhere': (d) => (d.components.parameters.Team.in = 'body'),
    'an answer without its description': (d) => delete d.components.responses.Problem.description,
    'a reference to nothing': (d) => (d.components.schemas.Secret.properties.key = { $ref: '#/components/schemas/None' }),
  })) {
    const wrong = structuredClone(description);
    spoil(wrong);
    assert.equal((await valid(wrong)).valid, false, what);
  }
});
