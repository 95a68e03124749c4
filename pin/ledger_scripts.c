#include "pin/ledger_private.h"

#include "pin_scripts.h"

struct store_script pin_ledger_script_open = {"ledger_open", pin_script_ledger_open, ""};
struct store_script pin_ledger_script_attempt = {"ledger_attempt", pin_script_ledger_attempt, ""};
struct store_script pin_ledger_script_note = {"ledger_note", pin_script_ledger_note, ""};
struct store_script pin_ledger_script_verify = {"ledger_verify", pin_script_ledger_verify, ""};
struct store_script pin_ledger_script_cancel = {"ledger_cancel", pin_script_ledger_cancel, ""};
struct store_script pin_ledger_script_status = {"ledger_status", pin_script_ledger_status, ""};
struct store_script pin_ledger_script_seen = {"ledger_seen", pin_script_ledger_seen, ""};
struct store_script pin_ledger_script_admit = {"ledger_admit", pin_script_ledger_admit, ""};
struct store_script pin_ledger_script_unadmit = {"ledger_unadmit", pin_script_ledger_unadmit, ""};
struct store_script pin_ledger_script_park = {"ledger_park", pin_script_ledger_park, ""};
struct store_script pin_ledger_script_claim = {"ledger_claim", pin_script_ledger_claim, ""};
struct store_script pin_ledger_script_done = {"ledger_done", pin_script_ledger_done, ""};
struct store_script pin_ledger_script_unpark = {"ledger_unpark", pin_script_ledger_unpark, ""};
