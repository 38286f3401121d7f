package redact

import "testing"

func TestPairedPassword(t *testing.T) {
	for value, want := range map[string]string{
		"host=db1.internal user=app password=x7Qm2LpZ dbname=prod":                                 "x7Qm2LpZ",
		"host = db1 password = x7Qm;LpZ user=a":                                                    "x7Qm;LpZ",
		`host=db password='it\'s a pass' user=app`:                                                 `it\'s a pass`,
		"Server=tcp:db,1433;Database=prod;User ID=app;Password=two words;Ssl=1":                    "two words",
		`Driver={ODBC Driver 17};Server=db;Uid=app;Pwd="a;b";`:                                     "a;b",
		"DefaultEndpointsProtocol=https;AccountName=media1;AccountKey=aB3dE6g8==;EndpointSuffix=x": "aB3dE6g8==",
		"Endpoint=sb://x.example.com/;SharedAccessKeyName=root;SharedAccessKey=kL1mN4pQ=":          "kL1mN4pQ=",
		"PASSWORD=alone":                "",
		"host=db user=app":              "",
		"my password=is not; a string":  "",
		"host=db oldpassword=no":        "",
		"postgres://u:p@h/?password=no": "",
	} {
		if from, to := PairedPassword(value); value[from:to] != want {
			t.Errorf("%q has the password %q, want %q", value, value[from:to], want)
		}
	}
}
