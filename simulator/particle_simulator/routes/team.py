# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the team of a product or an organization. A team consists of people and API users."""

from __future__ import annotations

import re
import secrets
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Token
from particle_simulator.resources import ApiUser, Member
from particle_simulator.routes.owners import PathOwner, find_owner
from particle_simulator.routing import Kind, Route
from particle_simulator.scopes import API_USER_SCOPES
from particle_simulator.world import World

GROUP = "team_and_api_users"
ROLES = ("Administrator", "Developer", "View-only", "Support")
OWNER_ROLE = ROLES[0]
DEFAULT_ROLE = ROLES[1]
CLIENT_LABEL = "api"
"""The client id in the access token of an API user.

The token is created without an OAuth client. The value is inferred, not documented.
"""


# ---------------------------------------------------------------------- the rows


def _build_person_row(member: Member) -> dict[str, Any]:
    account = member.account
    return {
        "_id": member.id,
        "username": member.username,
        # The guide shows an id of this form; which role has which number is inferred (endpoints.yml: team_list).
        "role": {"id": f"{ROLES.index(member.role) + 1:024x}", "name": member.role},
        "no_mfa": account is None or account.otp_secret is None,
        "scim_provisioned": False,
        "no_password": bool(account and account.sso),
    }


def _build_api_user_row(user: ApiUser) -> dict[str, Any]:
    return {
        "username": user.username,
        "friendly_name": user.friendly_name,
        "scopes": list(user.scopes),
        "is_programmatic": True,
        "product_id": user.account.product.id if user.account.product else None,
    }


def _list_owners(owner: PathOwner) -> list[Account]:
    """Return the accounts that belong to a team without an invitation. Their role cannot change."""
    if owner.org is None:
        return [owner.account]
    return [account for account in owner.org.members if account.username not in owner.resources.team]


def list_team(world: World, call: Call) -> Reply:
    """List the team of a product or an organization, owners first (endpoints.yml: team_list).

    The list for an organization includes the API users of all products of the organization.
    """
    owner = find_owner(world, call)
    owners = _list_owners(owner)
    people = [Member(account.user_id, account.username, OWNER_ROLE, account) for account in owners]
    people += [member for member in owner.resources.team.values() if member.account not in owners]
    team = [_build_person_row(member) for member in people]
    users = list(owner.resources.api_users.values())
    if owner.org is not None:
        for product in world.products.list_in_org(owner.org):
            users += product.resources.api_users.values()
    return json_reply({"ok": True, "team": [*team, *map(_build_api_user_row, users)]})


# ---------------------------------------------------------------------- people


def add_member(world: World, call: Call) -> Reply:
    """Invite a person to a team, or create an API user (endpoints.yml: team_invite, api_user_create).

    A body with the field `friendly_name` or `scopes` creates an API user.
    """
    owner = find_owner(world, call)
    if "friendly_name" in call.fields or "scopes" in call.fields:
        return _create_api_user(world, owner, call)
    # Particle documents that a role is required, but the official client sends no role. The default is inferred.
    username, role = call.fields.get("username"), call.fields.get("role", DEFAULT_ROLE)
    if not isinstance(username, str) or "@" not in username:
        raise bad_request("username must be an e-mail address")
    _check_role(role)
    # In the real cloud, the person accepts the invitation by e-mail. The simulator accepts the invitation at once.
    account = world.accounts.find(username)
    known = account.username if account else username
    owner.resources.team[known] = Member(account.user_id if account else secrets.token_hex(12), known, role, account)
    if owner.org is not None and account is not None and account not in owner.org.members:
        owner.org.members.append(account)
    return json_reply({"ok": True, "invited": {"username": username}})


def _check_role(role: Any) -> str:
    if role not in ROLES:
        raise bad_request(f"role must be one of {', '.join(ROLES)}")
    return str(role)


def update_member(world: World, call: Call) -> Reply:
    """Change the role of a person in a team (endpoints.yml: team_update).

    Only the method, the path and the scope are documented. The rest is inferred from the sibling routes: the body, the
    response, and that the role of an owner cannot change. An API user is not a person, and is changed with PUT.
    """
    owner = find_owner(world, call)
    username, role = call.path["username"], _check_role(call.fields.get("role"))
    if any(account.username == username for account in _list_owners(owner)):
        raise bad_request("The role of an owner cannot be changed")
    member = owner.resources.team.get(username)
    if member is None:
        raise plain_error(404, "Team member not found.")
    member.role = role
    return json_reply({"ok": True, "updated": {"username": username}})


def remove_member(world: World, call: Call) -> Reply:
    """Remove a person or an API user from a team (endpoints.yml: team_remove).

    The token of a removed API user is revoked. The 404 response is inferred, not documented.
    """
    owner = find_owner(world, call)
    username = call.path["username"]
    user = owner.resources.api_users.pop(username, None)
    if user is not None:
        world.logins.revoke(user.token)
        return json_reply({"ok": True})
    member = owner.resources.team.pop(username, None)
    if member is None:
        raise plain_error(404, "Team member not found.")
    if owner.org is not None and member.account in owner.org.members:
        owner.org.members.remove(member.account)
    return json_reply({"ok": True})


# ---------------------------------------------------------------------- API users


def _check_friendly_name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise bad_request("friendly_name must be a string")
    return value


def _check_scopes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise bad_request("scopes must be a list of scopes")
    for scope in value:
        if scope not in API_USER_SCOPES:
            raise bad_request(f"{scope} is not a scope of API users")
    return tuple(dict.fromkeys(value))


def _create_token(world: World, account: Account, scopes: tuple[str, ...]) -> Token:
    """Create the access token of an API user. The token never expires."""
    token = Token(secrets.token_hex(20), account, CLIENT_LABEL, None, scopes=scopes)
    world.logins.add_token(token)
    return token


def _create_api_user(world: World, owner: PathOwner, call: Call) -> Reply:
    friendly_name = _check_friendly_name(call.fields.get("friendly_name"))
    scopes = _check_scopes(call.fields.get("scopes"))
    slug = re.sub(r"[^a-z0-9]+", "-", friendly_name.lower()).strip("-") or "user"
    username = f"{slug}+{secrets.token_hex(4)}@api.particle.io"
    account = Account(username, "", secrets.token_hex(12), product=owner.product, org=owner.org, acts_for=owner.account)
    user = ApiUser(username, friendly_name, scopes, account, _create_token(world, account, scopes))
    owner.resources.api_users[username] = user
    created = {"username": username, "is_programmatic": True, "tokens": [{"token": user.token.value}]}
    return json_reply({"ok": True, "created": created})


def _find_api_user(owner: PathOwner, call: Call) -> ApiUser:
    """Find the API user in the request path. The 404 response is inferred, not documented."""
    user = owner.resources.api_users.get(call.path["username"])
    if user is None:
        raise plain_error(404, "Team member not found.")
    return user


def _replace_token(world: World, user: ApiUser) -> None:
    world.logins.revoke(user.token)
    user.token = _create_token(world, user.account, user.scopes)


def _build_update_reply(user: ApiUser) -> Reply:
    updated = {"username": user.username, "tokens": [{"token": user.token.value}]}
    return json_reply({"ok": True, "updated": updated})


def update_api_user(world: World, call: Call) -> Reply:
    """Change the friendly name or the scopes of an API user (endpoints.yml: api_user_update).

    A change of the scopes replaces the access token.
    """
    user = _find_api_user(find_owner(world, call), call)
    if not call.fields.keys() & {"friendly_name", "scopes"}:
        raise bad_request("friendly_name or scopes is required")
    name = _check_friendly_name(call.fields.get("friendly_name", user.friendly_name))
    scopes = _check_scopes(call.fields["scopes"]) if "scopes" in call.fields else user.scopes
    user.friendly_name = name
    if set(scopes) != set(user.scopes):
        user.scopes = scopes
        _replace_token(world, user)
    return _build_update_reply(user)


def regenerate_token(world: World, call: Call) -> Reply:
    """Replace the access token of an API user (endpoints.yml: api_user_regenerate_token)."""
    user = _find_api_user(find_owner(world, call), call)
    _replace_token(world, user)
    return _build_update_reply(user)


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:username"
    update = "teams.users:update"
    return [
        Route(GROUP, "team_list", "GET", base, list_team, scope="teams.users:list"),
        Route(
            GROUP,
            "team_invite",
            "POST",
            base,
            add_member,
            kind=Kind.WRITE,
            scope="teams.users:invite",
            also=("api_user_create",),
        ),
        Route(GROUP, "team_update", "POST", one, update_member, kind=Kind.WRITE, scope=update),
        Route(GROUP, "api_user_update", "PUT", one, update_api_user, kind=Kind.WRITE, scope=update),
        Route(GROUP, "team_remove", "DELETE", one, remove_member, kind=Kind.WRITE, scope="teams.users:remove"),
        Route(
            GROUP, "api_user_regenerate_token", "PUT", f"{one}/token", regenerate_token, kind=Kind.WRITE, scope=update
        ),
    ]


ROUTES = [*_build_routes("/v1/products/:p/team"), *_build_routes("/v1/orgs/:org/team")]
