from emr.web.security import content_security_policy, page_headers


class TestPolicy:
    def test_nothing_inline_and_nothing_foreign_runs(self) -> None:
        policy = content_security_policy()
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")

    def test_a_form_may_end_at_the_issuer(self) -> None:
        assert "form-action 'self' https://id.example" in content_security_policy(
            issuer="https://id.example/realms/emr"
        )

    def test_pages_are_never_kept(self) -> None:
        assert page_headers("x")["Cache-Control"] == "no-store"
