package team

// Presumed is the actor that a credential was at a revision of its team's: a
// number that the database changes with everything that such an actor is made
// of. Only what finds the revision unchanged in the transaction of its effect may
// act on it, so it is no Actor.
type Presumed struct {
	actor    Actor
	revision int64
}

// Presume makes a Presumed.
func Presume(actor Actor, revision int64) Presumed { return Presumed{actor, revision} }

// Revision is what the team's must still be.
func (p Presumed) Revision() int64 { return p.revision }

// CredentialID counts the requests of the credential.
func (p Presumed) CredentialID() string { return p.actor.CredentialID() }

// Unconfirmed returns the actor, for whoever compares the revision.
func (p Presumed) Unconfirmed() Actor { return p.actor }
