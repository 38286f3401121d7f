// Package team holds who may do what in a team: the actor, roles, scopes and
// the policy that joins them. It is a leaf: it knows no store and no transport.
package team

// Role is what a person is in a team.
type Role string

const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Member Role = "member"
)

// Roles lists all roles, the mightiest first.
var Roles = []Role{Owner, Admin, Member}

// ParseRole accepts exactly the three names; no case folding, no trimming, so
// that nothing that merely looks like a role becomes one.
func ParseRole(s string) (Role, bool) {
	switch r := Role(s); r {
	case Owner, Admin, Member:
		return r, true
	}
	return "", false
}

// rank orders roles; an unknown role ranks below all.
func (r Role) rank() int {
	switch r {
	case Owner:
		return 3
	case Admin:
		return 2
	case Member:
		return 1
	}
	return 0
}

// AtLeast reports whether r is min or mightier.
func (r Role) AtLeast(min Role) bool { return min.rank() > 0 && r.rank() >= min.rank() }
