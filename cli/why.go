package cli

import (
	"github.com/spf13/cobra"
)

func (p *program) whyCommand() *cobra.Command {
	var app string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why KEY --app NAMESPACE/NAME[@VERSION]",
		Short: "Explain step by step why an app receives a key, or does not",
		Long: `Makes the decision that a run makes, for one key, and says each of its steps:
declared, granted, bound, set. Nothing is handed out.

Exits with 0 if a run would receive the key, with 3 if not, and with 5 if there is
no such app.`,
		Example: `  infsh why OPENAI_API_KEY --app acme/summarizer`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if app == "" {
				return &usageError{msg: "which app? Name it with --app NAMESPACE/NAME", command: cmd.CommandPath()}
			}
			name, version, err := parseApp(app)
			if err != nil {
				return err
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			why, err := s.Why(cmd.Context(), name, version, args[0])
			if err != nil {
				return runError(name, err)
			}
			if asJSON {
				if err := p.json(why); err != nil {
					return err
				}
			} else {
				p.printf("%s, version %d, %s\n", inert(why.App), why.Version, inert(why.Key))
				for _, step := range why.Steps {
					mark := "✓"
					if !step.OK {
						mark = "✗"
					}
					p.printf("%s %s\n", mark, inert(step.Text))
					if step.Todo != "" {
						p.printf("    %s\n", inert(step.Todo))
					}
				}
			}
			if !why.Injected {
				p.notef("It is not injected.")
				return exitStatus(ExitRequirements)
			}
			p.notef("It is injected.")
			return nil
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "a registered app, and optionally one of its versions, by number or id")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as a JSON object")
	return cmd
}
