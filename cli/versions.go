package cli

import (
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) appVersionsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "versions APP",
		Short: "List an app's versions, newest first; the current one has a *",
		Example: `  infsh app versions acme/summarizer
  infsh app versions summarizer --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, err := p.appByName(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			versions, err := s.Versions(cmd.Context(), app.ID)
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(versions)
			}
			rows := [][]string{{"", "VERSION", "SECRETS", "DEPLOYED (UTC)", "DIGEST", "ID"}}
			for _, v := range versions {
				mark := ""
				if v.ID == app.VersionID {
					mark = "*"
				}
				rows = append(rows, []string{
					mark, strconv.FormatInt(v.Number, 10), strconv.Itoa(len(v.RequiredSecrets)), stamp(v.CreatedAt), v.Digest[:min(12, len(v.Digest))], v.ID,
				})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (p *program) appUseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "use APP VERSION",
		Short: "Make a version the current one",
		Long: `Makes a version of an app the current one, which runs use that name none. VERSION
is its number or its id, as "infsh app versions" lists them. One that requires a
key which nobody has approved is refused.`,
		Example: `  infsh app use acme/summarizer 3`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, err := p.appByName(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			versions, err := s.Versions(cmd.Context(), app.ID)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(versions, func(v api.AppVersion) bool {
				return v.ID == args[1] || strconv.FormatInt(v.Number, 10) == args[1]
			})
			if i < 0 {
				return fail(ExitNotFound, "Not found: "+appName(app)+" has no version "+args[1], "`infsh app versions "+appName(app)+"` lists them.")
			}
			moved, err := s.MakeCurrent(cmd.Context(), app.ID, versions[i].ID)
			if err != nil {
				return err
			}
			p.printf("%s version %d is current\n", inert(appName(moved)), moved.Version.Number)
			return nil
		},
	}
}

func (p *program) appDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete APP",
		Short: "Delete an app with its versions and grants",
		Long: `Deletes an app with its versions and its grants; runs of it are refused from then
on. The team's secrets stay. An app of this name that is deployed later starts
anew.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !p.terminal.in {
				return Usage("deleting an app needs --yes, since there is no terminal to ask on")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			app, err := p.appByName(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if !yes && !p.confirm("Delete "+appName(app)+" with its versions and grants? Runs of it are refused from then on.") {
				return fail(ExitFailure, "The app was not deleted.")
			}
			if err := s.DeleteApp(cmd.Context(), app.ID); err != nil {
				return err
			}
			p.notef("Deleted %s.", appName(app))
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "delete without asking")
	return cmd
}
