package cli

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/manifest"
)

func (p *program) appCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [DIR|FILE]",
		Short: "Say which declared keys are set or missing, and what to do",
		Long: `Compares what app.yaml (or inf.yml) declares with what the team has set, and has
for the app granted, and says for each key what to do. Exits with 3 if something
required is missing, or waits for approval.

With --json it prints an object that later versions only add names to: satisfied
(a boolean), errors (what keeps the app from running: type, key, message, action,
state), items (each declared key: key, kind, optional, state, grant, source,
version, message, near_misses, url), and unused (keys that are set and that no
app declares).`,
		Example: `  infsh app check
  infsh app check examples/summarizer --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := loadManifest(args)
			if err != nil {
				return err
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			// Without a namespace the server takes the app to be in the team's own.
			name := m.Name
			if m.Namespace != "" {
				name = m.Namespace + "/" + m.Name
			}
			check, err := s.CheckApp(cmd.Context(), checkRequest(m, name))
			if err != nil {
				return err
			}
			if asJSON {
				if err := p.json(check); err != nil {
					return err
				}
			} else {
				p.showCheck(check)
			}
			if !check.Satisfied {
				return exitStatus(ExitRequirements)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as a JSON object")
	return cmd
}

func checkRequest(m *manifest.Manifest, app string) api.CheckRequest {
	return api.CheckRequest{Secrets: secretRequirements(m), Integrations: integrationRequirements(m), App: app}
}

func (p *program) showCheck(check api.CheckResponse) {
	if len(check.Items) > 0 {
		rows := [][]string{{"KEY", "NEEDED", "STATE"}}
		governed := slices.ContainsFunc(check.Items, func(item api.CheckItem) bool { return item.Grant != "" })
		if governed {
			rows[0] = append(rows[0], "GRANT")
		}
		for _, item := range check.Items {
			row := []string{item.Key, needed(item), stateOf(item)}
			if governed {
				row = append(row, grantOf(item))
			}
			rows = append(rows, row)
		}
		p.table(rows)
	} else {
		p.printf("The manifest declares no secrets and no integrations, so the app receives none.\n")
	}
	if lines := p.todo(check); len(lines) > 0 {
		p.printf("\n")
		for _, line := range lines {
			p.printf("%s\n", inert(line))
		}
	}
	if len(check.Unused) > 0 {
		p.printf("\nunused (set in the team, declared by no app): %s\n", inert(strings.Join(check.Unused, ", ")))
	}
	if check.Satisfied {
		p.notef("Everything that is required is set.")
	} else {
		p.notef("requirements not met: something required is missing or not granted.")
	}
}

func needed(item api.CheckItem) string {
	if item.Optional {
		return "optional"
	}
	return "required"
}

func stateOf(item api.CheckItem) string {
	switch {
	case item.State == api.StateUnavailable:
		return "not available"
	case item.Kind == api.CheckIntegration && item.State == api.StateSet:
		return "connected"
	case item.State == api.StateNotConnected:
		return "not connected"
	case item.State == api.StateNeedsScopes:
		return "needs permissions"
	case item.State == api.StateLapsed:
		return "connect again"
	case item.State == api.StateCollision:
		return "given twice"
	case item.Kind == api.CheckIntegration:
		return string(item.State)
	case item.State == api.StateRefused:
		return "refused"
	case item.Version > 0:
		return fmt.Sprintf("set, version %d", item.Version)
	case item.State == api.StateSet:
		return "set"
	case item.StagedVersion > 0:
		return fmt.Sprintf("staged, version %d", item.StagedVersion)
	}
	return "missing"
}

// grantOf says whether the team lets the app have the key.
func grantOf(item api.CheckItem) string {
	text := item.Grant
	switch item.Grant {
	case "":
		text = "-"
	case api.GrantOnDeploy:
		text = "granted when you deploy"
	case api.GrantNeedsApproval:
		text = "would need approval"
	}
	if item.Source != "" {
		text += ", receives " + item.Source
	}
	return text
}

// todo says what there is to do about each key that is not set. Where all is
// set there is nothing.
func (p *program) todo(check api.CheckResponse) []string {
	var lines []string
	for _, item := range check.Items {
		if item.State == api.StateSet {
			continue
		}
		lines = append(lines, about(item.Key, whatIsWrong(item)))
		if item.Message == "" { // A message names the near misses itself.
			for _, near := range item.NearMisses {
				lines = append(lines, "  "+nearMiss(near))
			}
		}
		switch item.State {
		case api.StateMissing, api.StateMissingOptional:
			if command := remedy(cmp.Or(item.Source, item.Key), item.StagedVersion); command != "" && item.Kind == api.CheckSecret {
				lines = append(lines, "  "+command)
			}
		case api.StateNotConnected, api.StateNeedsScopes, api.StateLapsed:
			if command := safeCommand(item.Command); command != "" {
				lines = append(lines, "  "+command)
			}
		case api.StateWaiting, api.StateRevoked:
			lines = append(lines, "  infsh app approve "+check.App+" "+item.Key)
		}
		// What is not deployed yet can't be bound.
		if asked := item.Grant != api.GrantOnDeploy && item.Grant != api.GrantNeedsApproval; item.Propose != "" && asked {
			lines = append(lines, "  infsh app approve "+check.App+" --bind "+item.Key+"="+item.Propose)
		}
		if link := p.link(item.URL); link != "" {
			lines = append(lines, "  "+link)
		}
	}
	return lines
}

// connectLike is what a server may give to be copied into a shell.
var connectLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^infsh integrations connect [a-z0-9_-]+( --(type|need|field) [A-Za-z0-9._=-]+)*( < key\.json)?$`)
})

// safeCommand is such a command, and empty for anything else.
func safeCommand(given string) string {
	if !connectLike().MatchString(given) {
		return ""
	}
	return given
}

func whatIsWrong(item api.CheckItem) string {
	switch {
	case item.Message != "":
		return item.Message
	case item.State == api.StateUnavailable:
		return "this server does not offer it"
	case item.Optional:
		return "not set; the app runs without it"
	}
	return "not set; the app can't run without it"
}

func nearMiss(near api.NearMiss) string {
	text := near.Key + " is set"
	if near.Team != "" {
		text += " in your team " + near.Team
	}
	if near.Reason != "" {
		text += ": " + near.Reason
	}
	return text
}
