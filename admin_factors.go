package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"infsh/auth"
	"infsh/cli"
)

func resetFactorsCommand() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   "reset-factors --email EMAIL",
		Short: "Remove the second factors of one who lost theirs",
		Long: `Remove the authenticator app, the passkeys and the recovery codes of an account.
The password alone signs in then. All sessions and command line logins of the
account end; API keys stay.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return cli.Usage("--email is needed")
			}
			private()
			s, err := readSettings(cmd, storeSettings)
			if err != nil {
				return err
			}
			st, err := openStoreAsItIs(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer func() { _ = st.db.Close() }()
			had, err := newServices(st, nil).Sessions.ResetFactors(cmd.Context(), auth.Operator(operatorName()), email)
			if err != nil {
				return err
			}
			app := "no authenticator app"
			if !had.App.IsZero() {
				app = "an authenticator app"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Removed: %s, %d passkeys, %d recovery codes. The password alone signs in now.\n", app, len(had.Passkeys), had.RecoveryCodes)
			return err
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "email address of the account")
	addSettings(cmd, storeSettings)
	return cmd
}
