"""Settings of the channels of the desk."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class EmailChannel(Section):
    """Conversations by e-mail. Mail is polled at ``imap_host`` or in ``maildir``, or posted; answers go by SMTP."""

    enabled: bool = Field(False, description="receive and answer mail")
    address: str = Field("", description="address that customers write to and that answers come from")
    name: str = Field("Customer support", max_length=100, description="display name of the sender of answers")
    imap_host: str = Field("", description="IMAP server that is polled for unseen mail, over TLS; empty: none")
    imap_port: int = Field(993, ge=1, le=65535)
    imap_user: str = ""
    imap_password: str = Field("", repr=False)
    imap_folder: str = "INBOX"
    imap_tls: bool = Field(True, description="use TLS; off only for a server on this machine")
    maildir: str = Field("", description="a Maildir that is polled for new mail; empty: none")
    poll_s: float = Field(30.0, ge=0.2, description="seconds between two polls for mail")
    smtp_host: str = Field("", description="SMTP server that sends answers; empty: answers wait")
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: str = Field("", repr=False)
    smtp_tls: bool = Field(True, description="STARTTLS (at port 465 TLS from the beginning); off: for this machine")
    answers_an_hour: int = Field(
        20, ge=1, description="maximum automatic answers to one address; further mail waits for people"
    )
    all_answers_an_hour: int = Field(
        600,
        ge=1,
        description="maximum automatic answers to all addresses, because senders can be forged; further mail waits "
        "for people",
    )


class WebhookChannel(Section):
    """A program that delivers customers' messages and receives answers, both signed with ``secret``."""

    secret: str = Field(min_length=16, repr=False, description="signing key, at least 16 characters")
    url: str = Field("", description="URL that answers are posted to; empty: the program reads them from the session")


class ChannelsSettings(Section):
    """Channels by which customers write (docs/guides/desk.md)."""

    model: str = Field("support", description="the agent or model that answers until a person does")
    tenant: str = Field("default", description="tenant of these customers")
    groups: tuple[str, ...] = Field((), description="the groups of these conversations")
    email: EmailChannel = EmailChannel()
    webhooks: dict[str, WebhookChannel] = Field({}, description="webhooks by name: POST /v1/desk/webhooks/NAME")
    private_hosts: tuple[str, ...] = Field((), description="private hosts that answers may be posted to")
    attempts: int = Field(8, ge=1, description="attempts to send or create an answer")
    max_characters: int = Field(20_000, ge=100, description="maximum characters of one message; the rest is cut off")
    waiting: int = Field(5000, ge=1, description="messages per tenant that may wait for an answer, without mail")
    waiting_each: int = Field(20, ge=1, description="waiting messages per conversation")
    messages_an_hour: int = Field(
        300, ge=1, description="maximum messages per hour in one conversation on a page or by a webhook"
    )
    chats: int = Field(20_000, ge=1, description="open chats on web pages per tenant")
    watchers: int = Field(1000, ge=1, description="open streams of chats of a tenant, in one process")
    watchers_each: int = Field(8, ge=1, description="open streams per chat")
    remembered_days: float = Field(30.0, gt=0, description="days within which a duplicate message counts once")
