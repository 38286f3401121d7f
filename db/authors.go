package db

// author is SQL for the name of who did something, as the audit log has it: the
// email address of the user u, who was joined by that id, or else the name of
// the service key that the id is. A service key that is gone leaves no name, and
// nobody at all is the empty string.
func author(u, team, id string) string {
	return `COALESCE(` + u + `.email, (SELECT k.name || ' (service key)' FROM api_keys k WHERE k.team_id = ` + team + ` AND k.id = ` + id + `),
		CASE WHEN ` + id + ` = '' THEN '' ELSE 'a service key that was revoked' END)`
}
