package handlers

import (
	"net/url"

	"infsh/redact"
)

// inviteLink is the address that an invited person opens. It holds the code,
// which the page takes out of it at once; see docs/threat-model.md.
func (s *server) inviteLink(code redact.Value) redact.Value {
	link := s.config.PublicURL.JoinPath("invite")
	link.RawQuery = url.Values{"code": {code.Reveal()}}.Encode()
	return redact.NewValue(link.String())
}
