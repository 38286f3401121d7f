package webhook

import (
	"encoding/json"
	"time"

	"infsh/audit"
	"infsh/team"
)

// Type names an event.
type Type string

const (
	SecretUpdated Type = "secret.updated"
	SecretDeleted Type = "secret.deleted"
	GrantPending  Type = "grant.pending"
	APIKeyCreated Type = "apikey.created"
	// TypeTest is what a person sends to see whether an endpoint answers.
	TypeTest Type = "webhook.test"
)

// Types are the events that an endpoint can ask for.
var Types = []Type{SecretUpdated, SecretDeleted, GrantPending, APIKeyCreated}

// payload is the body of a message. Its three members are those of the
// specification.
type payload struct {
	Type      Type      `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	TeamID string `json:"team_id"`
	// Actor is the email address of who did it.
	Actor string `json:"actor,omitempty"`
	// Key names a secret, Version one of its versions, and Change what was done
	// with it: set, staged, activated or restored, which undoes a deletion.
	Key     string `json:"key,omitempty"`
	Version int64  `json:"version,omitempty"`
	Change  string `json:"change,omitempty"`
	// Target is the grant that waits, or the name of an API key.
	Target string `json:"target,omitempty"`
}

// secretChanges are the acts that change a secret. A rollback is a set too, and
// has an entry of its own beside that one.
var secretChanges = map[string]string{
	string(team.SetSecret):      "set",
	string(team.StageSecret):    "staged",
	string(team.ActivateSecret): "activated",
	string(team.RestoreSecret):  "restored",
}

// EventOf makes the event that an audit entry is, so that whoever writes the
// entry of an act tells of it without knowing. Most entries are none.
func EventOf(e audit.Entry) (t Type, body []byte, ok bool) {
	if e.Outcome != audit.Allowed || e.TeamID == "" {
		return "", nil, false
	}
	d := data{TeamID: e.TeamID, Actor: e.ActorName}
	switch change, isSecret := secretChanges[e.Action]; {
	case isSecret:
		t, d.Key, d.Change = SecretUpdated, e.Target, change
	case e.Action == string(team.DeleteSecret):
		t, d.Key = SecretDeleted, e.Target
	case e.Action == string(team.AskGrant):
		t, d.Target = GrantPending, e.Target
	case e.Action == string(team.CreateAPIKey):
		t, d.Target = APIKeyCreated, e.Target
	default:
		return "", nil, false
	}
	if d.Key != "" && len(e.Versions) == 1 {
		d.Version = e.Versions[0].Version
	}
	body, err := encode(payload{Type: t, Timestamp: e.At, Data: d})
	return t, body, err == nil
}

// testPayload is the body of a test.
func testPayload(actor team.Actor, at time.Time) ([]byte, error) {
	return encode(payload{Type: TypeTest, Timestamp: at, Data: data{TeamID: actor.TeamID(), Actor: actor.Email()}})
}

func encode(p payload) ([]byte, error) {
	p.Timestamp = p.Timestamp.UTC().Truncate(time.Microsecond)
	return json.Marshal(p)
}
