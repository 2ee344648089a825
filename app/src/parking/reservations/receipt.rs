//! What a stay costs, line by line.

use leptos::prelude::*;
use portico_model::parking::receipt::{Receipt, ReceiptLine};

/// The lines and what they come to.
#[component]
pub fn ReceiptView(receipt: Receipt) -> impl IntoView {
    let line = |line: ReceiptLine| {
        view! {
            <tr>
                <th scope="row">{line.label} <span class="sub number">{line.detail}</span></th>
                <td class="number">{line.amount}</td>
            </tr>
        }
    };
    view! {
        <table class="receipt" data-testid="receipt">
            <caption class="hidden">"What it costs"</caption>
            <tbody>{receipt.lines.into_iter().map(line).collect_view()}</tbody>
            <tfoot>
                <tr>
                    <th scope="row">"Total"</th>
                    <td class="number">{receipt.total}</td>
                </tr>
            </tfoot>
        </table>
    }
}
